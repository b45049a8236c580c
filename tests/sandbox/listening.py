"""A client of the sandbox's streams that tells what it was sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio_websocket import WebSocketConnection, wrap_client_stream

from etl_actors.sandbox import Sandbox

STREAM = "wss://stream.binance.com:9443"
COINBASE_FEED = "wss://ws-feed.exchange.coinbase.com"
KRAKEN_FEED = "wss://ws.kraken.com"


class Listener:
    """One open socket."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket

    async def text(self) -> str:
        """The next frame as it came."""
        received = await self.socket.get_message()
        assert isinstance(received, str)
        return received

    async def next(self) -> Any:
        """The next frame."""
        return json.loads(await self.text())

    async def several(self, many: int) -> list[Any]:
        """The next frames."""
        return [await self.next() for _ in range(many)]

    async def say(self, message: object) -> None:
        """Send a JSON text, or a text as it is."""
        await self.socket.send_message(message if isinstance(message, str) else json.dumps(message))


@asynccontextmanager
async def listening(sandbox: Sandbox, origin: str, path: str = "/") -> AsyncIterator[Listener]:
    """A socket opened at ``path`` of the stand-in for ``origin``."""
    host, _, port = sandbox.origins[origin].removeprefix("ws://").rpartition(":")
    # The stream is ours: trio-websocket does not close it when the server was the first to close.
    async with await trio.open_tcp_stream(host, int(port)) as stream, trio.open_nursery() as nursery:
        async with await wrap_client_stream(nursery, stream, host, path) as socket:
            yield Listener(socket)
        nursery.cancel_scope.cancel()
