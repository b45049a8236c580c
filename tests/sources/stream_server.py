"""A WebSocket provider on loopback that does as it is told, one script a connection."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

Script = Callable[["Visit"], Awaitable[None]]


class Visit:
    """One connection, from its request on."""

    def __init__(self, request: WebSocketRequest) -> None:
        self.request = request
        self.path = request.path
        self.headers = {name.decode().lower(): value.decode() for name, value in request.headers}
        self.heard: list[str] = []
        self.ended = trio.Event()
        self._connection: WebSocketConnection | None = None

    @property
    def connection(self) -> WebSocketConnection:
        """The open socket."""
        assert self._connection is not None
        return self._connection

    async def accept(self, **options: Any) -> None:
        """Open the socket."""
        self._connection = await self.request.accept(**options)

    async def say(self, *frames: Any) -> None:
        """Send frames: texts and bytes as they are, anything else as JSON."""
        for frame in frames:
            await self.connection.send_message(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def hear(self) -> Any:
        """The next message."""
        message = await self.connection.get_message()
        self.heard.append(str(message))
        try:
            return json.loads(message)
        except ValueError:
            return message

    async def listen(self) -> None:
        """Until the other side closes."""
        while True:
            await self.hear()

    async def drop(self) -> None:
        """Close the connection beneath the socket, without a word."""
        await self.connection._stream.aclose()


class StreamServer:
    """Runs the next script for every connection, and the last one for those that follow."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self.visits: list[Visit] = []
        self.port = 0
        self.scheme = "ws"

    @property
    def url(self) -> str:
        """Where it is."""
        host = "127.0.0.1" if self.scheme == "ws" else "localhost"
        return f"{self.scheme}://{host}:{self.port}"

    async def handle(self, request: WebSocketRequest) -> None:
        """One connection."""
        visit = Visit(request)
        self.visits.append(visit)
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        try:
            await script(visit)
        except ConnectionClosed:
            pass
        finally:
            visit.ended.set()


@asynccontextmanager
async def serving(*scripts: Script, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[StreamServer]:
    """A provider that runs ``scripts``."""
    server = StreamServer(*scripts)
    server.scheme = "ws" if tls is None else "wss"
    async with trio.open_nursery() as nursery:
        serve = partial(serve_websocket, server.handle, "127.0.0.1", port, tls, disconnect_timeout=0.2)
        server.port = (await nursery.start(serve)).port
        yield server
        nursery.cancel_scope.cancel()


async def quiet(visit: Visit) -> None:
    """Accepts, and says nothing."""
    await visit.accept()
    await visit.listen()


def saying(*frames: Any) -> Script:
    """A script that accepts, sends these frames, and stays."""

    async def script(visit: Visit) -> None:
        await visit.accept()
        await visit.say(*frames)
        await visit.listen()

    return script


def refusing(status: int, body: bytes = b"", **headers: str) -> Script:
    """A script that does not open the socket."""

    async def script(visit: Visit) -> None:
        extra = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await visit.request.reject(status, extra_headers=extra, body=body)

    return script
