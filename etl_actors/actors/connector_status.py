"""What a connector says of itself, and the tally it is made from.

The tally keeps moments twice: on the clock that never jumps for everything that is measured, and as wall-clock times
for people to read.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from datetime import datetime
from math import ceil, inf
from typing import Literal

import trio
from msgspec import Struct

State = Literal["running", "throttled", "failing", "paused", "stopped"]
REMEMBERED_POLLS = 500


class ConnectorStatistics(Struct, frozen=True, kw_only=True):
    """How a connector is at this moment.

    ``last_error`` stays after a recovery, as history; ``consecutive_failures`` tells whether it is over.
    ``failures`` counts them all since the start. ``retry_after_seconds`` is what is left of the wait the provider asked
    for. Latencies are of the last 500 polls that brought an answer.
    """

    state: State
    last_success: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None
    failures: int = 0
    consecutive_failures: int = 0
    next_poll: datetime | None = None
    effective_interval_seconds: float = 0.0
    retry_after_seconds: float | None = None
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    polls: int = 0
    unchanged: int = 0
    stale: bool = False


class Tally:
    """Counts one connector's polls."""

    def __init__(self, stale_after_seconds: float | None, now: Callable[[], datetime]) -> None:
        self._stale_after = inf if stale_after_seconds is None else stale_after_seconds
        self._now = now
        self.polls = 0
        self.unchanged = 0
        self.failures = 0
        self.all_failures = 0
        self.last_success: datetime | None = None
        self.last_error: str | None = None
        self.last_error_at: datetime | None = None
        self._fresh_since = inf
        self._asked_until: float | None = None
        self._latencies: deque[float] = deque()
        self._ordered_latencies: list[float] = []  # the same, kept in order: statistics are asked for often

    def began(self) -> None:
        """The connector runs: from here on its data ages."""
        self._fresh_since = min(self._fresh_since, trio.current_time())

    def succeeded(self, latency_seconds: float, *, unchanged: bool) -> None:
        """A poll brought an answer."""
        self.polls += 1
        self.unchanged += unchanged
        self.heard()
        self.remember(latency_seconds)

    def heard(self) -> None:
        """Something fresh came."""
        self.failures = 0
        self.last_success = self._now()
        self._fresh_since = trio.current_time()
        self._asked_until = None

    def failed(self, reason: str, retry_after: float | None) -> None:
        """A poll brought none."""
        self.polls += 1
        self.failures += 1
        self.all_failures += 1
        self._asked_until = None if retry_after is None else trio.current_time() + retry_after
        self.troubled(reason)

    def troubled(self, reason: str) -> None:
        """Something went wrong that was no poll."""
        self.last_error = reason
        self.last_error_at = self._now()

    def asked_to_wait(self) -> float | None:
        """How much is left of what the provider asked for; None when it asked for nothing or it is over."""
        left = 0.0 if self._asked_until is None else self._asked_until - trio.current_time()
        return left if left > 0 else None

    @property
    def stale(self) -> bool:
        """Whether the last success, or the start, is as long ago as is said to be stale."""
        return trio.current_time() >= self._fresh_since + self._stale_after

    def stale_at(self) -> float:
        """The moment at which it will be stale if nothing comes; infinity when it never is, or is already."""
        return inf if self.stale else self._fresh_since + self._stale_after

    def latency_ms(self, share: float) -> float | None:
        """The latency that ``share`` of the remembered polls did not exceed."""
        ordered = self._ordered_latencies
        return round(ordered[ceil(share * len(ordered)) - 1], 3) if ordered else None

    def remember(self, latency_seconds: float) -> None:
        """An answer took so long; the oldest of them is forgotten."""
        latency = latency_seconds * 1000
        self._latencies.append(latency)
        insort(self._ordered_latencies, latency)
        if len(self._latencies) > REMEMBERED_POLLS:
            del self._ordered_latencies[bisect_left(self._ordered_latencies, self._latencies.popleft())]
