"""Where the years of the original are cut. Pure decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from etl_actors.storage.takeover.catalogue import set_aside_name
from etl_actors.storage.takeover.history import PARTS, cut_history

BEGAN = datetime(2025, 12, 8, 16, 0, 30, tzinfo=UTC)
NEXT_MINUTE = datetime(2025, 12, 8, 16, 1, tzinfo=UTC)
FIRST, LAST = datetime(1970, 1, 1), datetime(2025, 12, 9, 16, 0, 29)  # noqa: DTZ001 - hypothesis wants naive bounds


@given(st.lists(st.datetimes(FIRST, LAST, timezones=st.just(UTC)), max_size=PARTS + 1))
def test_every_time_is_covered_by_few_partitions(times: list[datetime]) -> None:
    """Rising bounds on full minutes, from the first row to beyond the last."""
    bounds = cut_history(sorted(times), BEGAN)
    assert all(one < other for one, other in pairwise(bounds))
    assert all(bounds[0] <= at < bounds[-1] for at in [*times, *([] if times else [BEGAN])])
    assert all(at.second == at.microsecond == 0 for at in bounds)
    assert len(bounds) <= PARTS + 28


def test_what_is_written_from_now_on_gets_partitions_of_its_own() -> None:
    """The history ends with the minute of the takeover."""
    assert cut_history([BEGAN - timedelta(days=365), BEGAN - timedelta(seconds=1)], BEGAN)[-1] == NEXT_MINUTE


def test_years_are_cut_at_midnight() -> None:
    """Partitions that people can read about."""
    bounds = cut_history([BEGAN - timedelta(days=day) for day in range(500, 0, -25)], BEGAN)
    assert all((at.hour, at.minute) == (0, 0) for at in bounds)


def test_a_clock_that_ran_ahead_gets_hourly_partitions() -> None:
    """Live rows share them, so they must not be long."""
    bounds = cut_history([BEGAN, BEGAN + timedelta(hours=5)], BEGAN)
    assert NEXT_MINUTE in bounds
    beyond = [at for at in bounds if at >= NEXT_MINUTE]
    assert max(other - one for one, other in pairwise(beyond)) == timedelta(hours=1)


def test_a_long_name_is_cut_so_that_it_can_be_told_from_ours() -> None:
    """PostgreSQL would cut the end off, and with it the difference."""
    assert set_aside_name("files") == "files_v0"
    assert set_aside_name("x" * 63) == "x" * 60 + "_v0"
    assert set_aside_name("é" * 31) == "é" * 30 + "_v0"
