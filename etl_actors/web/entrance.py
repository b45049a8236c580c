"""What the server serves: the waiting room until the application is there, then that, on the same connections.

One server for both, since a second one on the same socket would have to wait for the connections of the first, or drop
them; here a client that waited on an open connection gets its next answer from the application.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from quart_trio import QuartTrio


class Entrance:
    """An ASGI application that leads to one of two."""

    def __init__(self, waiting_room: QuartTrio) -> None:
        self._waiting_room = self._app = waiting_room

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        # Server and waiting room begin and end together; the application does nothing at either.
        app = self._waiting_room if scope["type"] == "lifespan" else self._app
        await app(scope, receive, send)

    @contextmanager
    def leading_to(self, app: QuartTrio) -> Iterator[None]:
        """For the length of the block, whoever comes in comes to ``app``."""
        self._app = app
        try:
            yield
        finally:
            self._app = self._waiting_room
