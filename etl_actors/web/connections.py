"""One connection that goes wrong ends alone.

Hypercorn runs every connection in the nursery of its listeners, so an exception in its protocol code (a byte beyond
ASCII among the subprotocols of a handshake, data right behind a handshake; pgjones/hypercorn issue 225) ends the whole
server, whoever sent it. Here each connection catches its own. What is logged is the kind of error, never its text,
which may repeat what the client sent.
"""

from __future__ import annotations

import hypercorn.trio.run
import structlog
import trio
from hypercorn.trio.tcp_server import TCPServer

log = structlog.get_logger("web")


class Connection(TCPServer):
    """Hypercorn's connection, which does not take others with it."""

    async def run(self) -> None:
        """Serve the connection to its end."""
        try:
            await super().run()
        except BaseExceptionGroup as group:
            cancelled, others = group.split(trio.Cancelled)
            if others is not None and others.subgroup(lambda error: not isinstance(error, Exception)) is not None:
                raise
            _tell(others)
            if cancelled is not None:
                raise cancelled from None
        except Exception as error:
            _tell(error)


def guard_connections() -> None:
    """Let Hypercorn make connections of this kind: it offers no other way to say which."""
    hypercorn.trio.run.TCPServer = Connection  # type: ignore[attr-defined]  # see above


def _tell(error: BaseException | None) -> None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        log.warning("web.connection_failed", error=type(error).__name__)
