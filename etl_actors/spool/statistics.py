"""What is said about the spool."""

from __future__ import annotations

import time

from msgspec import Struct


class SpoolStatistics(Struct, frozen=True, kw_only=True):
    """``bytes`` is what is taken of ``max_bytes``, which is less than the setting where the disk has less.

    ``oldest_seconds`` is the age of the oldest batch that waits, None where none does. ``damaged`` counts the batches
    that were lost to damage since the spool was made. ``full``: the next batch would be refused.
    """

    batches: int
    rows: int
    bytes: int
    max_bytes: int
    oldest_seconds: float | None
    damaged: int
    full: bool


class Snapshot(Struct, frozen=True, kw_only=True):
    """What the thread that has the files saw last."""

    batches: int
    rows: int
    bytes: int
    max_bytes: int
    oldest_written_at: int | None
    damaged: int
    full: bool

    def aged(self) -> SpoolStatistics:
        """As of now."""
        oldest = self.oldest_written_at
        return SpoolStatistics(
            batches=self.batches,
            rows=self.rows,
            bytes=self.bytes,
            max_bytes=self.max_bytes,
            # By the wall clock, since it has to outlive the process; that may be set back meanwhile.
            oldest_seconds=None if oldest is None else max(0.0, time.time() - oldest / 1_000_000),
            damaged=self.damaged,
            full=self.full,
        )
