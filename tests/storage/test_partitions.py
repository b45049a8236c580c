"""Where partitions are cut, how long they are, and which of them must go. Pure decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.storage.partitions import WIDTHS, Span, choose_width, find_span, plan_span
from etl_actors.storage.retention import EMPTY_BYTES, Measured, choose_expired, growth

NOON = datetime(2025, 12, 8, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
GIGABYTE = 1_000_000_000
FIRST, LAST = datetime(2000, 1, 2), datetime(2100, 1, 1)  # noqa: DTZ001 - hypothesis wants naive bounds


def span(start: datetime, end: datetime) -> Span:
    """A partition of that time."""
    return Span(start, end, f"t_p{start:%Y%m%d_%H%M%S}")


def hours(first: int, many: int, *, table: str = "api_connector_items", size: int = GIGABYTE) -> list[Measured]:
    """One partition an hour, from ``first`` hours before noon on."""
    starts = [NOON - first * HOUR + n * HOUR for n in range(many)]
    return [Measured(table, span(start, start + HOUR), size) for start in starts]


def test_a_partition_begins_and_ends_at_full_hours() -> None:
    """Spans are aligned to their width."""
    assert plan_span([], NOON + 17 * MINUTE, HOUR) == (NOON, NOON + HOUR)


def test_a_partition_ends_where_its_neighbours_begin() -> None:
    """A longer width fills the gap between existing ones, never more."""
    existing = [span(NOON - HOUR, NOON), span(NOON + 3 * HOUR, NOON + 4 * HOUR)]
    assert plan_span(existing, NOON + HOUR, timedelta(days=1)) == (NOON, NOON + 3 * HOUR)


@given(
    moments=st.lists(
        st.datetimes(FIRST, LAST, timezones=st.just(UTC)),
        min_size=1,
        max_size=30,
    ),
    widths=st.lists(st.sampled_from(WIDTHS), min_size=30, max_size=30),
)
def test_planned_spans_never_overlap_and_always_cover(moments: list[datetime], widths: list[timedelta]) -> None:
    """Whatever order times come in and however the width changes."""
    existing: list[Span] = []
    for at, width in zip(moments, widths, strict=False):
        if find_span(existing, at) is None:
            start, end = plan_span(existing, at, width)
            assert start <= at < end
            existing = sorted([*existing, span(start, end)])
        assert find_span(existing, at) is not None
    assert all(earlier.end <= later.start for earlier, later in pairwise(existing))


@pytest.mark.parametrize(
    ("max_bytes", "rate", "width"),
    [
        (0, 1e9, timedelta(days=1)),
        (10 * GIGABYTE, None, timedelta(hours=1)),
        (10 * GIGABYTE, 10.0, timedelta(days=1)),
        (10 * GIGABYTE, 10_000.0, timedelta(hours=6)),
        (100_000_000, 70_000.0, timedelta(minutes=1)),
        (1_000, 1e9, timedelta(minutes=1)),
    ],
)
def test_partitions_are_as_long_as_a_small_share_of_the_cap_takes(
    max_bytes: int, rate: float | None, width: timedelta
) -> None:
    """About 24 of them fit into the cap."""
    assert choose_width(max_bytes, rate) == width


def test_old_partitions_go_by_the_age_of_their_table() -> None:
    """A partition goes when all of it is too old; a table without an age keeps all."""
    measured = hours(10, 10) + hours(10, 10, table="rejected")
    expired = choose_expired(measured, now=NOON, keep={"api_connector_items": 7 * HOUR}, max_bytes=0)
    assert {one.table for one in expired} == {"api_connector_items"}
    assert max(one.span.end for one in expired) == NOON - 7 * HOUR


def test_what_was_taken_over_is_as_old_as_the_takeover() -> None:
    """However old its rows are, it is kept as long as if it had arrived then; over the cap it goes all the same."""
    measured, keep = hours(1000, 10) + hours(2, 2), {"api_connector_items": 7 * HOUR}
    taken_over = NOON - 6 * HOUR

    def expired(hours_later: int, max_bytes: int = 0) -> int:
        now = NOON + hours_later * HOUR
        return len(choose_expired(measured, now=now, keep=keep, max_bytes=max_bytes, taken_over=taken_over))

    assert (expired(0), expired(1), expired(0, max_bytes=9 * GIGABYTE)) == (0, 10, 4)


def test_over_the_cap_the_oldest_of_any_table_go_first() -> None:
    """Whatever their age, until the rest fits with some room."""
    measured = hours(6, 6) + hours(6, 6, table="api_connector_data")
    expired = choose_expired(measured, now=NOON, keep={}, max_bytes=6 * GIGABYTE)
    assert len(expired) == 7
    assert max(one.span.end for one in expired) <= NOON - 2 * HOUR


def test_the_partition_that_is_written_to_always_stays() -> None:
    """However large it is and however small the cap."""
    measured = hours(1, 2)
    assert [one.span.start for one in choose_expired(measured, now=NOON, keep={}, max_bytes=1)] == [NOON - HOUR]


def test_growth_is_measured_on_the_newest_partitions() -> None:
    """Bytes a second over all tables; None while it is too early to tell."""
    measured = hours(3, 3, size=EMPTY_BYTES + 3600) + hours(3, 3, table="events", size=EMPTY_BYTES + 7200)
    assert growth(measured, NOON) == pytest.approx(3.0)
    young = [Measured("events", span(NOON, NOON + HOUR), 10_000)]
    assert growth(young, NOON + timedelta(seconds=5)) is None
