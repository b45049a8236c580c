"""Ticks: steady, without drift, without debts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.actors.schedule import Ticks

phases = st.floats(-1e6, 1e9)
intervals = st.floats(1e-3, 1e6)
moments = st.floats(-1e6, 1e9)


@given(phases, intervals, moments)
def test_next_tick_is_strictly_after_now_and_never_before_the_phase(phase: float, interval: float, now: float) -> None:
    """Between now and one interval from now, or the phase itself when that lies ahead."""
    tick = Ticks(phase, interval).after(now)
    assert tick > now
    assert tick >= phase
    # The clock's own resolution at a billion seconds is about a tenth of a microsecond.
    assert tick <= max(now + interval, phase) + 1e-6 + interval * 1e-9


@given(phases, intervals, moments)
def test_tick_at_or_after_is_the_first_one(phase: float, interval: float, earliest: float) -> None:
    """Not before what is asked for, and less than an interval after it."""
    tick = Ticks(phase, interval).at_or_after(earliest)
    assert tick >= max(earliest, phase)
    assert tick <= max(earliest + interval, phase) + 1e-6 + interval * 1e-9


@given(st.floats(0, 1e6), st.floats(0.01, 1e4), st.integers(0, 100_000))
def test_ticks_do_not_drift(phase: float, interval: float, k: int) -> None:
    """The millionth tick is where arithmetic says it is, not where additions have carried it."""
    ticks = Ticks(phase, interval)
    assert ticks.after(phase + k * interval + interval / 2) == pytest.approx(phase + (k + 1) * interval, abs=1e-4)


def test_thousand_ticks_walk_without_drift() -> None:
    """From tick to tick, a thousand times: none missed, none twice, the last one exact."""
    ticks, now = Ticks(3.3, 0.1), 3.3
    for _ in range(1000):
        now = ticks.after(now)
    assert now == 3.3 + 1000 * 0.1


def test_slow_poll_skips_ticks() -> None:
    """A poll of 25 s on a 10 s interval owes nothing: the next tick is the next one."""
    assert Ticks(0, 10).after(25) == 30
    assert Ticks(0, 10).after(30) == 40


def test_interval_of_zero_is_at_once() -> None:
    """Back to back."""
    assert Ticks(0, 0).after(7) == 7
    assert Ticks(0, 0).at_or_after(9) == 9


def test_another_interval_counts_from_the_last_tick() -> None:
    """However the interval changes, the next tick is a whole new interval after the last."""
    ticks = Ticks(0, 10).stretched(36, last_tick=50)
    assert (ticks.after(50.2), ticks.after(86)) == (86, 122)
    assert Ticks(0, 10).stretched(10, last_tick=53) == Ticks(0, 10)
