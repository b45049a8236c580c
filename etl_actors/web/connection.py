"""One client's connection, where Hypercorn's own would let a caller do harm.

A connection that fails fails alone: Hypercorn lets any exception of one end the server (pgjones/hypercorn issue 225).
What is logged is the kind of error, never its text, which may repeat what the client sent, keys among it. There is no
TLS here, so there is no HTTP/2 either: what asks for it is answered over HTTP/1.1 (a malformed ``HTTP2-Settings``
header ended the service). And what cannot be read as HTTP is answered with a problem document, as every other error is.
"""

from __future__ import annotations

import os
from http import HTTPStatus

import h11
import hypercorn.protocol
import hypercorn.protocol.h11
import hypercorn.trio.run
import structlog
import trio
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer

from .frames import FrameStream
from .problems import problem_body

log = structlog.get_logger("web")


class Connection(TCPServer):
    """Ends by itself, whatever happens in it."""

    _rest = b""

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

    @property
    def is_clogged(self) -> bool:
        """Whether the socket has not taken everything that was written."""
        return bool(self._rest)

    def write_nowait(self, data: bytes) -> None:
        """Write what the socket takes at once; the rest leaves before anything else, whoever sends that."""
        if self._rest or self.send_lock.locked():
            self._rest += data
            return
        try:
            self._rest = data[os.write(self.stream.socket.fileno(), data) :]  # there is no TLS
        except OSError:
            self._rest = data  # it is full, or broken, which the other way of sending finds out

    async def protocol_send(self, event: Event) -> None:
        """As Hypercorn does, behind the rest of what was written at once."""
        if not isinstance(event, RawData):
            await super().protocol_send(event)
            return
        async with self.send_lock:
            data, self._rest = self._rest + event.data, b""
            try:
                with trio.CancelScope(shield=True):
                    await self.stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                await self.protocol.handle(Closed())


class PlainHttp(H11Protocol):
    """HTTP/1.1 and nothing else; from there on to a WebSocket whose frames are ours."""

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
    hypercorn.protocol.h11.WSStream = FrameStream  # type: ignore[attr-defined,assignment]  # see above


def _tell(error: BaseException | None) -> None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        log.warning("web.connection_failed", error=type(error).__name__)
