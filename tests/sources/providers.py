"""Providers for the tests: real sockets on loopback, each playing one script for every request it reads."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import httpx
import trio

from etl_actors.settings.service import Upstream
from etl_actors.sources.exchange import Answer, fetch, open_client

Script = Callable[[trio.SocketStream, bytes], Awaitable[None]]


@asynccontextmanager
async def provider(script: Script) -> AsyncIterator[str]:
    """The url of a server that calls ``script(stream, head_of_request)`` for every request of a connection.

    A body, where there is one, follows the head after its empty line.
    """

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            pending = b""
            try:
                while True:
                    while b"\r\n\r\n" not in pending:
                        data = await stream.receive_some()
                        if not data:
                            return
                        pending += data
                    head, _, pending = pending.partition(b"\r\n\r\n")
                    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                    if length is not None and int(length[1]):
                        while len(pending) < int(length[1]):
                            pending += await stream.receive_some()
                        head += b"\r\n\r\n" + pending[: int(length[1])]
                        pending = pending[int(length[1]) :]
                    await script(stream, head)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        yield f"http://127.0.0.1:{port}"
        nursery.cancel_scope.cancel()


def saying(*parts: bytes) -> Script:
    """A script that sends the same bytes to everybody."""

    async def script(stream: trio.SocketStream, head: bytes) -> None:
        for part in parts:
            await stream.send_all(part)

    return script


def response(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """A whole HTTP/1.1 response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def ask(
    url: str, *, deadline_seconds: float = 5, max_bytes: int = 1_000_000, headers: dict[str, str] | None = None
) -> Answer:
    """One exchange with a client of its own."""
    async with open_client(Upstream(), "1.2.3") as client:
        request = client.build_request("GET", url, headers=headers)
        return await fetch(client, request, deadline_seconds=deadline_seconds, max_bytes=max_bytes)


@asynccontextmanager
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """The shared client as the service opens it."""
    async with open_client(Upstream(), "1.2.3") as opened:
        yield opened
