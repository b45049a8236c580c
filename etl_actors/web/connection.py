"""One client's connection, where Hypercorn's own would let a caller do harm.

A connection that fails fails alone: Hypercorn lets any exception of one end the server (pgjones/hypercorn issue 225).
What is logged is the kind of error, never its text, which may repeat what the client sent, keys among it. There is no
TLS here, so there is no HTTP/2 either: what asks for it is answered over HTTP/1.1 (a malformed ``HTTP2-Settings``
header ended the service). And what cannot be read as HTTP is answered with a problem document, as every other error is.
"""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import Any

import h11
import hypercorn.protocol
import hypercorn.protocol.h11
import hypercorn.trio.run
import structlog
import trio
from hypercorn.events import Event, RawData
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer

from .frames import Frames, FrameStream
from .problems import problem_body

log = structlog.get_logger("web")


class Connection(TCPServer):
    """Ends by itself, whatever happens in it."""

    async def run(self) -> None:
        """Until either side closes it."""
        try:
            await super().run()
        except BaseExceptionGroup as group:
            cancelled, others = group.split(trio.Cancelled)
            if others is not None and not isinstance(others, ExceptionGroup):
                raise
            _tell(others)
            if cancelled is not None:
                raise cancelled from None
        except Exception as error:
            _tell(error)

    async def protocol_send(self, event: Event) -> None:
        """Frames are written at once, as far as the socket takes them; what is left waits for its turn."""
        if isinstance(event, Frames) and not self.send_lock.locked():
            left = self._write_nowait(event.data)
            if not left:
                return
            event = RawData(data=left)
        await super().protocol_send(event)

    def _write_nowait(self, data: bytes) -> bytes:
        try:
            return data[os.write(self.stream.socket.fileno(), data) :]  # there is no TLS
        except OSError:
            return data  # it is full, or broken, which the other way of sending finds out


class PlainHttp(H11Protocol):
    """HTTP/1.1 and nothing else; from there on to a WebSocket whose frames are ours."""

    async def stream_send(self, event: Any) -> None:
        """Frames pass as they are."""
        if isinstance(event, Frames):
            await self.send(event)
        else:
            await super().stream_send(event)

    async def _check_protocol(self, event: h11.Request) -> None:
        """Stay with HTTP/1.1, whatever the client would like to upgrade to."""

    async def _send_error_response(self, status_code: int) -> None:
        title = HTTPStatus(status_code).phrase
        body = problem_body(status_code, title, "the request could not be read as HTTP/1.1, or its head is too long")
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *self.config.response_headers("h11"),
        ]
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
        await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())


def install_connection() -> None:
    """Put them where Hypercorn, which takes no such setting, looks for its own."""
    hypercorn.trio.run.TCPServer = Connection  # type: ignore[attr-defined]  # no setting, so not exported
    hypercorn.protocol.H11Protocol = PlainHttp  # type: ignore[attr-defined]  # see above
    hypercorn.protocol.h11.WSStream = FrameStream  # type: ignore[attr-defined]  # see above


def _tell(error: BaseException | None) -> None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        log.warning("web.connection_failed", error=type(error).__name__)
