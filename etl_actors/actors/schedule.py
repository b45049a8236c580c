"""When the next poll is due: steady ticks that do not drift, computed and never counted up.

A tick is ``phase + k * interval``. A poll that takes longer than an interval skips the ticks it slept through; it does
not owe them. An interval of 0 means at once.
"""

from __future__ import annotations

from math import ceil, floor, inf, nextafter

from msgspec import Struct


class Ticks(Struct, frozen=True):
    """The ticks of one connector, in seconds of a clock that never jumps."""

    phase: float
    interval: float

    def after(self, now: float) -> float:
        """The first tick strictly after ``now``; ``now`` itself when the interval is 0."""
        if self.interval <= 0:
            return now
        steps = max(floor((now - self.phase) / self.interval), -1)
        return self._first(steps, lowest=nextafter(now, inf))

    def at_or_after(self, earliest: float) -> float:
        """The first tick that is not before ``earliest``; ``earliest`` itself when the interval is 0."""
        if self.interval <= 0:
            return earliest
        return self._first(max(ceil((earliest - self.phase) / self.interval) - 1, -1), lowest=earliest)

    def stretched(self, interval: float, last_tick: float) -> Ticks:
        """The same ticks at another interval, counted from ``last_tick``, so that the next is a whole one away."""
        return self if interval == self.interval else Ticks(phase=last_tick, interval=interval)

    def _first(self, steps: int, lowest: float) -> float:
        # Division and multiplication round, so the step found may be one off either way.
        for candidate in (self.phase + k * self.interval for k in (steps, steps + 1, steps + 2)):
            if candidate >= lowest and candidate >= self.phase:
                return candidate
        return lowest  # the interval is finer than the clock
