"""The opening handshake of a WebSocket, and what it means when it does not come about.

trio-websocket's reading task runs from the first byte on. When it ends before the socket is open, nobody who waits for
that is told, and a refusal leaves it as an exception inside a group; here both become what they are, an outcome.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import httpx
import structlog
import trio
from trio_websocket import ConnectionRejected, WebSocketConnection, wrap_client_stream

from .websocket_wire import Wire

log = structlog.get_logger("websocket")

# More is read at once by nobody who has other things to do: a piece of this size holds two thousand empty fragments.
_READ_BYTES = 4_096


class NotOpened(Exception):
    """The socket did not open; ``rejected`` is the answer in its place, when it was one."""

    def __init__(self, rejected: ConnectionRejected | None) -> None:
        self.rejected = rejected
        super().__init__("the WebSocket did not open")


async def open_over(
    nursery: trio.Nursery, wire: Wire, url: httpx.URL, headers: httpx.Headers, *, max_bytes: int
) -> WebSocketConnection:
    """An open connection whose reading task runs in ``nursery``; :class:`NotOpened` when there is none to be had."""
    headers = headers.copy()
    protocols = [name.strip() for name in headers.pop("Sec-WebSocket-Protocol", "").split(",") if name.strip()]
    reading = _Reading(nursery)
    with trio.CancelScope() as opening:
        reading.on_over = opening.cancel
        connection = await wrap_client_stream(
            cast(trio.Nursery, reading),  # of a nursery only start_soon is used
            cast(trio.SocketStream, wire),  # and of a stream only what every stream has
            url.netloc.decode("ascii"),
            url.raw_path.decode("ascii"),
            subprotocols=protocols,
            extra_headers=headers.raw,
            max_message_size=max_bytes,
            receive_buffer_size=_READ_BYTES,
        )
        reading.on_over = None
        # Private names, which tell what nothing else does before the message is whole.
        wire.unfinished = lambda: (len(connection._message_parts), connection._message_size)
        return connection
    raise NotOpened(reading.rejected)


class _Reading:
    """Stands where trio-websocket expects a nursery, and keeps how its reading task ended."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.on_over: Callable[[], None] | None = None
        self.rejected: ConnectionRejected | None = None

    def start_soon(self, read: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        self._nursery.start_soon(self._run, read, *arguments)

    async def _run(self, read: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        try:
            await read(*arguments)
        except ConnectionRejected as rejected:
            self.rejected = rejected
        except Exception as error:
            # Whatever a stranger's bytes make the libraries trip over costs this socket, and nothing else.
            log.debug("websocket.reader_ended", error=f"{type(error).__name__}: {error}")
        finally:
            if self.on_over is not None:
                self.on_over()
