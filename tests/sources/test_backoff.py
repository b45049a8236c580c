"""How long a failure waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from etl_actors.errors import PollFailed
from etl_actors.sources.backoff import Backoff, bound

highest = Backoff(lambda low, high: high)
lowest = Backoff(lambda low, high: low)


def test_bound_doubles_up_to_a_minute() -> None:
    """Ordinary trouble."""
    assert [bound(n, refused=False) for n in (1, 2, 3, 6, 7, 100_000)] == [1, 2, 4, 32, 60, 60]


def test_bound_of_a_refusal_is_a_quarter_of_an_hour() -> None:
    """401, 403, 451, and whoever bans without saying for how long."""
    assert [bound(n, refused=True) for n in (1, 2, 7, 100_000)] == [15, 30, 900, 900]
    assert highest.seconds(PollFailed("x", banned=True), 50, 1) == 900


def test_told_counts_as_told() -> None:
    """Retry-After, even when it is longer than every cap; Retry-After: 0 tells nothing."""
    assert highest.seconds(PollFailed("x", retry_after=5), 9, 1) == 5
    assert highest.seconds(PollFailed("x", retry_after=200_000, banned=True), 1, 1) == 200_000
    assert highest.seconds(PollFailed("x", retry_after=0), 3, 1) == 4


@given(
    failures=st.integers(1, 10_000),
    interval=st.floats(0, 100_000),
    refused=st.booleans(),
    retry_after=st.none() | st.floats(0, 259_200),
)
def test_wait_stays_within_its_bounds(failures: int, interval: float, refused: bool, retry_after: float | None) -> None:
    """Never sooner than the connector's own interval or than told, never later than cap, told and interval."""
    failure = PollFailed("x", refused=refused, retry_after=retry_after)
    wait = Backoff().seconds(failure, failures, interval)
    assert max(interval, retry_after or 0) <= wait <= max(interval, retry_after or (900 if refused else 60))


def test_jitter_is_full() -> None:
    """The lowest draw is no wait beyond the interval."""
    assert lowest.seconds(PollFailed("x"), 10, 0) == 0
