"""Serves the application with Hypercorn on a socket that is ours."""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial

import hypercorn.trio
import structlog
import trio
from hypercorn.config import Config

from .access.gate import MAX_HEADER_BYTES
from .connection import install_connection
from .doorway import Entered, behind_doorway
from .frames import lending_frames
from .listener import BACKLOG, abort_connections

log = structlog.get_logger("service")

MAX_MESSAGE_BYTES = 1_048_576
# What sockets that are still open get after the drain, before they are aborted.
CLOSING_SECONDS = 2.0
# Time for a closing frame, however late it is.
LEAST_SECONDS = 0.1


class WebServer:
    """Serves ``app`` on ``listener``, which it takes over, until it is closed."""

    def __init__(self, app: Entered, listener: socket.socket) -> None:
        self._app = app
        self._listener = listener
        self._port = listener.getsockname()[1]
        self._drained = trio.Event()
        self._closed = trio.Event()
        self._closing = trio.CancelScope()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until :meth:`aclose`."""
        try:
            await serve_app(
                self._app,
                self._listener,
                shutdown=self._drained.wait,
                grace_seconds=CLOSING_SECONDS,
                task_status=task_status,
            )
        finally:
            self._closed.set()

    def close_by_nowait(self, moment: float) -> None:
        """Whatever is still open is to be aborted at that ``moment`` of trio's clock."""
        self._closing.deadline = min(self._closing.deadline, moment)

    async def aclose(self) -> None:
        """Let open answers and sockets end; abort those that do not."""
        self._drained.set()
        latest = trio.current_time() + CLOSING_SECONDS + 0.5
        self._closing.deadline = min(latest, max(self._closing.deadline, trio.current_time() + LEAST_SECONDS))
        with self._closing:
            await self._closed.wait()
        if not self._closed.is_set():
            log.warning("service.connections_aborted", connections=abort_connections(self._port))


async def serve_app(
    app: Entered,
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
