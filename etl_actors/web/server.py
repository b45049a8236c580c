"""Serves the application with Hypercorn on a socket that is ours."""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial

import hypercorn.trio
import trio
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from quart_trio import QuartTrio

from .connection import install_connection
from .listener import BACKLOG

MAX_MESSAGE_BYTES = 1_048_576
LAST_WORD_SECONDS = 5.0


async def serve_app(
    app: QuartTrio,
    listener: socket.socket,
    *,
    shutdown: Callable[[], Awaitable[None]],
    grace_seconds: float,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Until ``shutdown()`` returns; then no new connection is taken, and open ones have ``grace_seconds``.

    Takes ``listener`` over.
    """
    install_connection()
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = BACKLOG
    config.graceful_timeout = grace_seconds
    config.websocket_max_message_size = MAX_MESSAGE_BYTES
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    async with trio.open_nursery() as nursery:
        serving = partial(hypercorn.trio.serve, _finishing(app), config, shutdown_trigger=shutdown, mode="asgi")
        await nursery.start(serving)
        task_status.started()


def _finishing(app: QuartTrio) -> ASGIFramework:
    """``app``, which is not cancelled in the middle of its last send.

    With the end of an answer Hypercorn tells the application that the client is gone, which makes Quart cancel the
    very task that is about to close the connection: a client that asked for ``Connection: close`` waited in vain.
    """

    async def finishing(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        async def send_whole(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                with trio.move_on_after(LAST_WORD_SECONDS, shield=True):
                    await send(message)
            else:
                await send(message)

        await app(scope, receive, send_whole)

    return finishing
