"""The numbers of one stream's frames, and the books they change: what is done with a frame before it is mapped.

The check outlives connections, so that what a reconnect missed is seen; where the provider counts anew on each
connection, it begins anew too. What was seen goes into the checkpoint with the frames it counts (``SequenceCheck``
explains), so that a restart sees what it missed.
"""

from __future__ import annotations

from typing import Any, Protocol

from ..messages import Gap


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
        self.books = books

    def begin(self, cursor: Any) -> None:
        """The connector is ours; ``cursor`` is what was remembered with its last frames."""
        if self._check is not None and isinstance(cursor, dict):
            self._check.restore(cursor.get("sequence"))

    def connected(self) -> None:
        """From here on the frames are those of a new socket."""
        if self._check is not None:
            self._mine = self._check.for_connection()

    def gap_before(self, document: Any) -> Gap | None:
        """What is missing before this frame."""
        return None if self._mine is None else self._mine.see(document)

    def seen(self, document: Any) -> Any:
        """``document`` as the mapping gets it: with the book it changed, where it changed one."""
        return document if self.books is None else self.books.see_nowait(document)

    def remembered(self) -> dict[str, Any] | None:
        """What goes into the checkpoint with this frame; None for nothing."""
        state = None if self._check is None else self._check.state()
        return None if state is None else {"sequence": state}
