"""One client's connection, where Hypercorn's own would let a caller do harm.

A connection that fails fails alone: Hypercorn lets any exception of one end the server (pgjones/hypercorn issue 225).
What is logged is the kind of error, never its text, which may repeat what the client sent, keys among it. There is no
TLS here, so there is no HTTP/2 either: what asks for it is answered over HTTP/1.1 (a malformed ``HTTP2-Settings``
header ended the service). What cannot be read as HTTP is answered with a problem document, as every other error is. And
an answer that needs no more of the body (401, 413) closes the connection while the client is still sending, and the
reset that follows could reach the client before the answer does: so the rest is read and dropped for a moment.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import Any

import h11
import hypercorn.protocol
import hypercorn.trio.run
import structlog
import trio
from hypercorn.events import Closed, Event
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer

from .problems import problem_body

log = structlog.get_logger("web")

# Less than the last words of an answer may take (doorway.py).
LINGER_SECONDS = 2.0


class Connection(TCPServer):
    """Ends by itself, whatever happens in it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._read_all = trio.Event()

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
        """Send bytes, or close, or begin to be idle."""
        if isinstance(event, Closed) and self._is_being_sent_to():
            await self._linger()
        await super().protocol_send(event)

    async def _read_data(self) -> None:
        try:
            await super()._read_data()
        finally:
            self._read_all.set()

    def _is_being_sent_to(self) -> bool:
        connection = getattr(getattr(self.protocol, "protocol", None), "connection", None)
        return getattr(connection, "their_state", None) is h11.SEND_BODY

    async def _linger(self) -> None:
        """Say that we are done, and let the reading task drop what still comes."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            await self.stream.send_eof()
        with trio.move_on_after(LINGER_SECONDS):
            await self._read_all.wait()


class PlainHttp(H11Protocol):
    """HTTP/1.1 and nothing else."""

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
    """Put both where Hypercorn, which takes no such setting, looks for its own."""
    hypercorn.trio.run.TCPServer = Connection  # type: ignore[attr-defined,assignment]  # no setting, so not exported
    hypercorn.protocol.H11Protocol = PlainHttp  # type: ignore[attr-defined]  # see above


def _tell(error: BaseException | None) -> None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        log.warning("web.connection_failed", error=type(error).__name__)
