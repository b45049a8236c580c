"""Hypercorn's connections, made to end as they should: alone, and in every case.

Three things Hypercorn does not do for us on trio:

- It runs every connection in the nursery of its listeners, so an exception in its protocol code (a byte beyond ASCII
  among the subprotocols of a handshake, data right behind a handshake; pgjones/hypercorn issue 225) ends the whole
  server, whoever sent it. Here each connection catches its own. What is logged is the kind of error, never its text,
  which may repeat what the client sent.
- The end of an answer is told to Quart, which then cancels the task that is telling; the connection it was about to
  close, or to begin to call idle, stayed open for good, and whoever sent a next request on it waited in vain. Here that
  step is shielded.
- An answer that needs no more of the body (401, 413) closes the connection while the client is still sending, and the
  reset that follows may reach the client before the answer does. Here the rest is read and dropped for a moment.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import h11
import hypercorn.trio.run
import structlog
import trio
from hypercorn.events import Closed, Event, RawData
from hypercorn.trio.tcp_server import TCPServer

log = structlog.get_logger("web")

LINGER_SECONDS = 2.0
# Closing sends nothing and waits for nobody; this is against what nobody foresaw.
SHIELDED_SECONDS = LINGER_SECONDS + 1.0


class Connection(TCPServer):
    """One connection."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._read_all = trio.Event()

    async def run(self) -> None:
        """Serve the connection to its end."""
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
        if isinstance(event, RawData):
            await super().protocol_send(event)
            return
        with trio.move_on_after(SHIELDED_SECONDS, shield=True):
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
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError, AttributeError):
            await self.stream.send_eof()
        with trio.move_on_after(LINGER_SECONDS):
            await self._read_all.wait()


def guard_connections() -> None:
    """Let Hypercorn make connections of this kind: it offers no other way to say which."""
    hypercorn.trio.run.TCPServer = Connection  # type: ignore[attr-defined,assignment]  # see above


def _tell(error: BaseException | None) -> None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        log.warning("web.connection_failed", error=type(error).__name__)
