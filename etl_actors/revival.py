"""The embedded PostgreSQL, kept alive: when it dies it is started again, a few times, and everybody is told meanwhile.

While it is away, pools refuse and their callers wait or answer 503, exactly as with a database of the user's own. One
that dies again and again takes the service with it, since something is wrong that no restart mends.
"""

from __future__ import annotations

from typing import Any

import trio

from .storage.opening import Storage
from .supervisor import OURS, Supervised

NAME = "the embedded PostgreSQL"


class Revival:
    """Keeps the server of ``storage`` alive, where it has one of its own; tells how the database is."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._supervised = Supervised(NAME, OURS)

    async def run(self) -> None:
        """Until cancelled. Raises :class:`~etl_actors.supervisor.GaveUp` when it keeps dying."""
        if self._storage.embedded is None:
            await trio.sleep_forever()
        else:
            await self._supervised.run(self._storage.embedded.run)

    @property
    def trouble(self) -> str | None:
        """Why the database is away, in words for everybody; None when it is not away for want of its server."""
        embedded = self._storage.embedded
        return None if embedded is None or embedded.is_up else f"{NAME} is being started again"

    def statistics(self) -> dict[str, Any]:
        """For the status route; ``last_error`` is what the server died of last."""
        told = self._storage.statistics()
        if self._storage.embedded is not None:
            supervised = self._supervised.statistics()
            told |= {"restarts": supervised.restarts, "last_error": supervised.last_error}
        return told
