"""Who may come in: everything between a request that arrives and the view that answers it.

``policy.py`` is what was decided at the start, ``rules.py`` which route needs what, ``presented.py`` where a caller
shows a key, ``sessions.py`` the cookie of the dashboard, ``rates.py`` how often, ``hosts.py`` under which name,
``forwarding.py`` what a proxy may tell, ``gate.py`` puts them together into the hooks of the application,
``sockets.py`` holds sockets to the life of their key, and ``lasting.py`` knows how long that is. ``origins.py`` beside
this folder asks which web page is calling.
"""

from .gate import caller, install_gate
from .policy import AccessPolicy

__all__ = ["AccessPolicy", "caller", "install_gate"]
