"""Token buckets: how often somebody may do something. Pure, and bounded however many somebodies there are."""

from __future__ import annotations

from collections import OrderedDict

MOST_BUCKETS = 10_000


class TokenBuckets:
    """One bucket for each name: ``per_minute`` tokens at most, refilled evenly. Times are seconds of any one clock.

    Beyond ``MOST_BUCKETS`` the one that was used longest ago is forgotten: it is the fullest.
    """

    def __init__(self, per_minute: int) -> None:
        self._most = float(per_minute)
        self._per_second = per_minute / 60
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # (tokens, when)

    def wait(self, name: str, now: float) -> float:
        """Seconds until there is a token; 0 when there is one."""
        return max(0.0, (1 - self._tokens(name, now)) / self._per_second)

    def take(self, name: str, now: float) -> float:
        """Take a token. Answers 0, or the seconds until there is one, in which case nothing was taken."""
        tokens = self._tokens(name, now)
        if tokens < 1:
            return (1 - tokens) / self._per_second
        self._buckets[name] = (tokens - 1, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        return len(self._buckets)

    def _tokens(self, name: str, now: float) -> float:
        tokens, since = self._buckets.get(name, (self._most, now))
        return min(self._most, tokens + (now - since) * self._per_second)
