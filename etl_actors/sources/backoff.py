"""How long a connector stays away after a failure: full jitter under a growing bound.

The bound doubles up to a minute for ordinary trouble and up to a quarter of an hour where the provider said no; what
the provider asked for with Retry-After counts as told. Never sooner than the connector's own interval.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from ..errors import PollFailed

FIRST_SECONDS = 1.0
CAP_SECONDS = 60.0
REFUSED_FIRST_SECONDS = 15.0
REFUSED_CAP_SECONDS = 900.0


class Backoff:
    """``draw(low, high)`` is the source of randomness."""

    # Jitter spreads load; nobody gains by guessing it.
    def __init__(self, draw: Callable[[float, float], float] = random.uniform) -> None:
        self._draw = draw

    def seconds(self, failure: PollFailed, failures: int, interval_seconds: float) -> float:
        """How long to wait after the ``failures``-th failure in a row."""
        if failure.retry_after:
            return max(failure.retry_after, interval_seconds)
        return max(self._draw(0.0, bound(failures, refused=failure.refused or failure.banned)), interval_seconds)


def bound(failures: int, *, refused: bool) -> float:
    """The longest wait after the ``failures``-th failure in a row."""
    first, cap = (REFUSED_FIRST_SECONDS, REFUSED_CAP_SECONDS) if refused else (FIRST_SECONDS, CAP_SECONDS)
    doublings = min(max(failures, 1) - 1, 30)  # beyond that the cap has long been reached
    return min(first * 2.0**doublings, cap)
