"""The ASGI application as the server sees it: what Quart would stumble over is settled before and after it.

A ``Host`` that names no host is refused here, since Quart cannot even begin with it. And the last send of an answer is
not cancelled: with the end of an answer Hypercorn tells the application that the client is gone, which makes Quart
cancel the very task that is about to close the connection, and a client that asked for that waited in vain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope

from .problems import problem_body

LAST_WORD_SECONDS = 5.0

Entered = Callable[[Scope, ASGIReceiveCallable, ASGISendCallable], Awaitable[None]]


def behind_doorway(app: Entered) -> ASGIFramework:
    """``app`` behind these two."""

    async def entered(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        async def send_whole(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                with trio.move_on_after(LAST_WORD_SECONDS, shield=True):
                    await send(message)
            else:
                await send(message)

        if scope["type"] in {"http", "websocket"} and not names_a_host(_host(scope)):
            await _refuse(scope, send_whole)
        else:
            await app(scope, receive, send_whole)

    return entered


def names_a_host(host: str) -> bool:
    """Whether a ``Host`` header can be understood: as the routing does it, with IDNA and the port in one go."""
    try:
        host.lower().encode("idna")
    except UnicodeError:
        return False
    return True


def _host(scope: Any) -> str:
    hosts = [value for name, value in scope["headers"] if name.lower() == b"host"]
    return hosts[0].decode("latin-1") if hosts else ""


async def _refuse(scope: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = problem_body(400, "Bad Request", "the Host header names no host")
    head = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 400, "headers": head})
    await send({"type": "http.response.body", "body": body, "more_body": False})
