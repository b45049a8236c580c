"""How much the spool may take: what the settings allow, and never more than half of what the disk has for it.

Whatever lies in the folder counts: the rows, a damaged file that is not drained yet, SQLite's log and the ballast.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

from .ballast import Ballast, room_on_disk
from .pages import PAGE

_LOOK_SECONDS = 10.0
_LOG_LEAST, _LOG_MOST, _LOG_SHARE = 262_144, 4_194_304, 32


class Room:
    """Looked at now and then. ``pages`` is how many pages the rows may take."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self.limit = self._limit()
        self.log_bytes = max(_LOG_LEAST, min(_LOG_MOST, self.limit // _LOG_SHARE))
        # More than twice the log: it may have to grow by its whole length before any of it can be used again.
        self.ballast = Ballast(folder, 2 * self.log_bytes + _LOG_LEAST)
        self._looked_at = -math.inf
        self.disk_full = False
        self.pages = 0

    def look(self, ruin_bytes: int, *, full: bool = False) -> bool:
        """See what the disk has, if that was not done lately or it was ``full``; returns whether it was done."""
        now = time.monotonic()
        if not full and now - self._looked_at < _LOOK_SECONDS:
            return False
        self._looked_at = now
        self.disk_full = False
        self.limit = self._limit()
        self.ballast.take_on()
        self.count(ruin_bytes)
        return True

    def count(self, ruin_bytes: int) -> None:
        """What is left for rows beside the rest."""
        self.pages = max(0, self.limit - self.log_bytes - self.ballast.size - ruin_bytes) // PAGE

    def refusal(self, pages: int, used: int) -> str | None:
        """Why ``pages`` more cannot be had when ``used`` are taken; None where they can."""
        if self.disk_full or not self.ballast.there:
            return "the disk that the spool is on is full"
        if used + pages > self.pages:
            return f"the spool is full: {used * PAGE} bytes are taken of the {self.pages * PAGE} that it may take"
        return None

    def _limit(self) -> int:
        own = sum(path.stat().st_blocks * 512 for path in self._folder.glob("spool.*"))
        return min(self._max_bytes, (room_on_disk(self._folder) + own) // 2)
