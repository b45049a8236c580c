"""What a connector says of itself, and the tally it is made from.

The tally keeps moments twice: on the clock that never jumps for everything that is measured, and as wall-clock times
for people to read.
"""

from __future__ import annotations

from collections import deque
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
    ``retry_after_seconds`` is what is left of the wait the provider asked for. Latencies are of the last 500 polls that
    brought an answer.
    """

    state: State
    last_success: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None
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

    def __init__(self) -> None:
        self.polls = 0
        self.unchanged = 0
        self.failures = 0
        self.last_success: datetime | None = None
        self.last_error: str | None = None
        self.last_error_at: datetime | None = None
        self._fresh_since: float | None = None
        self._asked_until: float | None = None
        self._latencies: deque[float] = deque(maxlen=REMEMBERED_POLLS)

    def began(self) -> None:
        """The connector runs: from here on its data ages."""
        if self._fresh_since is None:
            self._fresh_since = trio.current_time()

    def succeeded(self, at: datetime, latency_seconds: float, *, unchanged: bool) -> None:
        """A poll brought an answer."""
        self.polls += 1
        self.unchanged += unchanged
        self.failures = 0
        self.last_success = at
        self._fresh_since = trio.current_time()
        self._asked_until = None
        self._latencies.append(latency_seconds * 1000)

    def heard(self, at: datetime) -> None:
        """A frame came."""
        self.failures = 0
        self.last_success = at
        self._fresh_since = trio.current_time()
        self._asked_until = None

    def failed(self, at: datetime, reason: str, retry_after: float | None) -> None:
        """A poll brought none."""
        self.polls += 1
        self.failures += 1
        self._asked_until = None if retry_after is None else trio.current_time() + retry_after
        self.troubled(at, reason)

    def troubled(self, at: datetime, reason: str) -> None:
        """Something went wrong that was no poll."""
        self.last_error = reason
        self.last_error_at = at

    def asked_to_wait(self) -> float | None:
        """How much is left of what the provider asked for; None when it asked for nothing or it is over."""
        left = 0.0 if self._asked_until is None else self._asked_until - trio.current_time()
        return left if left > 0 else None

    def stale(self, after_seconds: float | None) -> bool:
        """Whether the last success, or the start, is as long ago as is said to be stale."""
        if after_seconds is None or self._fresh_since is None:
            return False
        return trio.current_time() >= self._fresh_since + after_seconds

    def stale_at(self, after_seconds: float | None) -> float:
        """The moment at which it will be stale if nothing comes; infinity when it never is, or is already."""
        if after_seconds is None or self._fresh_since is None or self.stale(after_seconds):
            return inf
        return self._fresh_since + after_seconds

    def latency_ms(self, share: float) -> float | None:
        """The latency that ``share`` of the remembered polls did not exceed."""
        ordered = sorted(self._latencies)
        return round(ordered[ceil(share * len(ordered)) - 1], 3) if ordered else None
