"""The numbers of one stream's frames, and the books they change: what is done with a frame before it is mapped.

The check outlives connections, so that what a reconnect missed is seen; where the provider counts anew on each
connection, it begins anew too. What was seen goes into the checkpoint with the frames it counts (``SequenceCheck``
explains), so that a restart sees what it missed.
"""

from __future__ import annotations

from typing import Any, Protocol

from ..messages import Checkpoint, Gap


class Check(Protocol):
    """Sees what is missing before a frame."""

    def see(self, document: Any, /) -> Gap | None: ...

    def for_connection(self) -> Check: ...

    def state(self) -> dict[str, int] | None: ...

    def restore(self, state: Any, /) -> None: ...


class Books(Protocol):
    """Keeps order books; ``run`` fetches the snapshots that are missing."""

    def see_nowait(self, document: Any, /) -> Any: ...

    async def run(self) -> None: ...


class Numbers:
    """What is known of the frames of one connector; both parts may be absent."""

    def __init__(self, check: Check | None, books: Books | None) -> None:
        self._check = check
        self._mine = check
        self._connection = 0
        self.books = books

    def begin(self, kept: Checkpoint, fingerprint: bytes) -> None:
        """The connector is ours; continue behind what was remembered with its last frames, if it counted as now."""
        if self._check is not None and kept.fingerprint == fingerprint and isinstance(kept.cursor, dict):
            self._check.restore(kept.cursor.get("sequence"))

    def gap_before(self, document: Any, connection: int) -> Gap | None:
        """What is missing before this frame, which came over the socket of that number.

        Frames come in order, all of one socket before the first of the next.
        """
        if self._check is None or self._mine is None:
            return None
        if connection != self._connection:
            self._connection, self._mine = connection, self._check.for_connection()
        return self._mine.see(document)

    def seen(self, document: Any) -> Any:
        """``document`` as the mapping gets it: with the book it changed, where it changed one."""
        return document if self.books is None else self.books.see_nowait(document)

    def remembered(self) -> dict[str, Any] | None:
        """What goes into the checkpoint with this frame; None where frames are not numbered.

        That nothing is remembered is written too: what was remembered before would be behind by now.
        """
        return None if self._check is None else {"sequence": self._check.state()}
