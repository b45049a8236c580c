"""Sessions that were left in the middle of a transaction, because their line said nothing any more.

Where the server does not notice it waits on, in a COPY without end, and holds what the transaction holds. So whoever
comes next ends them first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection

log = structlog.get_logger("storage")

# Only those that began before they were left: the server may have noticed, and given the number to somebody else.
_END = """
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity JOIN unnest(%s::integer[], %s::float8[]) AS behind (session, seconds) ON pid = session
WHERE usename = session_user AND application_name = current_setting('application_name')
    AND backend_start < clock_timestamp() - make_interval(secs => seconds)
"""


class LeftBehind:
    """Those of one pool."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}  # by the process id of the session

    @asynccontextmanager
    async def watched(self, connection: AsyncConnection[Any]) -> AsyncIterator[None]:
        """Ends what was left before, over ``connection``; notices when that is closed within the block."""
        if self._since:
            await self._end(connection)
        session = connection.info.backend_pid
        try:
            yield
        finally:
            if connection.closed:
                self._since[session] = monotonic()

    async def _end(self, connection: AsyncConnection[Any]) -> None:
        seconds = [monotonic() - since for since in self._since.values()]
        try:
            await connection.execute(_END, (list(self._since), seconds))
        except psycopg.errors.InsufficientPrivilege:
            # Keepalives end them as well, later.
            log.warning("storage.session_left_behind", sessions=len(seconds))
        self._since.clear()
