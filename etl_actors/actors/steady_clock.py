"""What time it is, for whoever throws things away by it: a clock that jumps is not believed at once.

A clock that was set wrong for a minute must not cost what was read today. As long as it agrees with the time that has
really gone by it is right; once it does not, time goes on as before until the new one has held for an hour.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
import trio

log = structlog.get_logger("janitor")

TOLERANCE = timedelta(minutes=10)
BELIEVED_AFTER_SECONDS = 3600.0


class SteadyClock:
    """Called, it tells the time. ``now`` is the clock of the machine."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._believed: tuple[datetime, float] | None = None
        self._doubted: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        said, moment = self._now(), trio.current_time()
        if self._believed is None or _agrees(self._believed, said, moment):
            self._believed, self._doubted = (said, moment), None
            return said
        since, began = self._believed
        if self._doubted is None or not _agrees(self._doubted, said, moment):
            self._doubted = (said, moment)
            log.warning("janitor.clock_jumped", to=said.isoformat(), believed_in_seconds=BELIEVED_AFTER_SECONDS)
        if moment - self._doubted[1] >= BELIEVED_AFTER_SECONDS:
            self._believed, self._doubted = (said, moment), None
            return said
        return since + timedelta(seconds=moment - began)


def _agrees(before: tuple[datetime, float], said: datetime, moment: float) -> bool:
    """Whether the clock went on since ``before`` as time did."""
    at, began = before
    return abs(said - at - timedelta(seconds=moment - began)) <= TOLERANCE
