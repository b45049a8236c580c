"""A running service, seen from outside: the Python classes of the original, and what the commands share with them.

``address.py`` says where the service is and with which key; ``answers.py`` turns what it answers, or does not, into
this package's errors. Works under trio and asyncio alike, since httpx does.
"""

from .connector import RestConnector, WebSocketConnector

__all__ = ["RestConnector", "WebSocketConnector"]
