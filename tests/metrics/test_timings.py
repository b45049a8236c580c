"""How long things take, told while they happen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from etl_actors.metrics import Timings, watch_loop

from ..actors.events import event
from ..actors.parts import transformed


def found(timings: Timings, name: str, **labels: str) -> float | None:
    """The value of a sample."""
    samples = (sample for family in timings.families() for sample in family.samples)
    return next((one.value for one in samples if (one.name, one.labels) == (name, labels)), None)


def test_each_answer_of_a_batch_is_as_late_as_its_commit_is_after_it() -> None:
    """Frames count too; what nobody sent us does not, and a clock that was set back is no lag below zero."""
    timings, now = Timings(), datetime.now(UTC)
    part = transformed()
    parts = [
        replace(part, received_at=now - timedelta(seconds=7)),
        replace(part, received_at=now + timedelta(hours=1), kind="frame"),
        replace(part, received_at=now - timedelta(hours=1), kind="notice"),
        replace(part, received_at=now - timedelta(hours=1), kind="message"),
    ]
    timings.committed(parts, 0.2)
    assert found(timings, "etl_commit_lag_seconds_count") == 2
    assert found(timings, "etl_commit_lag_seconds_bucket", le="0.005") == 1
    assert found(timings, "etl_commit_lag_seconds_bucket", le="5.0") == 1
    assert found(timings, "etl_commit_lag_seconds_bucket", le="10.0") == 2
    assert found(timings, "etl_commit_duration_seconds_count") == 1
    assert found(timings, "etl_commit_duration_seconds_sum") == 0.2


def test_events_that_leave_together_are_observed_one_by_one() -> None:
    """The lag is that of events, not of batches."""
    timings = Timings()
    timings.handed_out([event(1), event(2), event(3)], 0.04)
    timings.handed_out([event(4)], 2)
    assert found(timings, "etl_handout_lag_seconds_count") == 4
    assert found(timings, "etl_handout_lag_seconds_bucket", le="0.05") == 3


def test_a_connector_that_is_gone_leaves_no_series() -> None:
    """Neither one that never answered, which has none."""
    timings = Timings()
    timings.answered("a", 0.3)
    timings.answered("b", 0.3)
    timings.forget("a")
    timings.forget("c")
    assert found(timings, "etl_connector_poll_latency_seconds_count", connector="a") is None
    assert found(timings, "etl_connector_poll_latency_seconds_count", connector="b") == 1


async def test_the_loop_is_asked_for_a_turn_ten_times_a_second(autojump_clock: Any) -> None:
    """Turns that come in time are not late."""
    lags: list[float] = []
    with trio.move_on_after(1.05):
        await watch_loop(lags.append)
    assert lags == pytest.approx([0.0] * 10)


async def test_a_loop_that_was_held_is_seen(mock_clock: Any, nursery: trio.Nursery) -> None:
    """Somebody kept it for half a second while the next turn was due in a tenth."""
    told_send, told_receive = trio.open_memory_channel[float](10)
    nursery.start_soon(watch_loop, told_send.send_nowait)
    await trio.testing.wait_all_tasks_blocked()
    mock_clock.jump(0.5)
    assert await told_receive.receive() == pytest.approx(0.4)
    nursery.cancel_scope.cancel()
