"""Serves the application with Hypercorn on a socket that is ours."""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial

import hypercorn.trio
import trio
from hypercorn.config import Config
from quart_trio import QuartTrio

from .access.gate import MAX_HEADER_BYTES
from .connection import install_connection
from .doorway import behind_doorway
from .frames import lending_frames
from .listener import BACKLOG

MAX_MESSAGE_BYTES = 1_048_576


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
    # A head that arrives in pieces is held no further than this; the gate bounds one that arrives whole.
    config.h11_max_incomplete_size = MAX_HEADER_BYTES
    config.websocket_max_message_size = MAX_MESSAGE_BYTES
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    async with trio.open_nursery() as nursery:
        serving = partial(
            hypercorn.trio.serve, lending_frames(behind_doorway(app)), config, shutdown_trigger=shutdown, mode="asgi"
        )
        await nursery.start(serving)
        task_status.started()
