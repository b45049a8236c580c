"""The exchange's own time: trio's clock, told as seconds since 1970.

Everything that moves or expires in the sandbox asks this clock, so a test under an autojump clock sees a day of prices
pass in an instant, and two runs that start at the same epoch tell the same times.
"""

from __future__ import annotations

import time
from email.utils import formatdate

import trio

TICKS_PER_SECOND = 10


class Clock:
    """Counts from ``epoch`` (seconds since 1970; the wall clock when none is given) at the pace of trio's clock."""

    def __init__(self, epoch: float | None = None) -> None:
        self._started = trio.current_time()
        self._epoch = time.time() if epoch is None else epoch

    def elapsed(self) -> float:
        """Seconds since the exchange opened."""
        return trio.current_time() - self._started

    def tick(self) -> int:
        """Tenths of a second since the exchange opened: nothing in the market changes between two of them."""
        return int(self.elapsed() * TICKS_PER_SECOND + 1e-6)

    def now(self) -> float:
        """Seconds since 1970."""
        return self._epoch + self.elapsed()

    def milliseconds_at(self, tick: int) -> int:
        """The time of a tick in milliseconds since 1970."""
        return int(self._epoch * 1000) + tick * (1000 // TICKS_PER_SECOND)

    def seconds_at(self, tick: int) -> float:
        """The time of a tick in seconds since 1970."""
        return self._epoch + tick / TICKS_PER_SECOND

    def http_date(self, seconds_ahead: float = 0.0) -> str:
        """Now, or so many seconds from now, as an HTTP header writes it."""
        return formatdate(self.now() + seconds_ahead, usegmt=True)
