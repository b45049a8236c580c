"""When a batch leaves: when it is full, when it is old enough, or when nothing more comes. Pure."""

from __future__ import annotations

import math

from uuid_utils.compat import uuid7

from ..messages import Batch, Transformed

# What it holds is in memory twice while it is written.
MOST_BYTES = 8_388_608


class BatchBuilder:
    """Collects parts until one of the limits is met. Times are those of the caller's monotonic clock."""

    def __init__(self, *, max_rows: int, max_age_seconds: float) -> None:
        self._max_rows = max_rows
        self._max_age_seconds = max_age_seconds
        self._parts: list[Transformed] = []
        self._rows = self._bytes = 0
        self.deadline = math.inf

    def add(self, part: Transformed, now: float) -> Batch | None:
        """Take ``part``; returns the batch when it is full by now. The first part starts its age."""
        if not self._parts:
            self.deadline = now + self._max_age_seconds
        self._parts.append(part)
        self._rows += part.rows
        self._bytes += len(part.body)
        return self.leave("size") if self._rows >= self._max_rows or self._bytes >= MOST_BYTES else None

    def leave(self, left_by: str) -> Batch | None:
        """What was collected, if anything; the builder is empty afterwards."""
        parts, self._parts, self._rows, self._bytes, self.deadline = tuple(self._parts), [], 0, 0, math.inf
        return Batch(batch_id=uuid7(), parts=parts, left_by=left_by) if parts else None
