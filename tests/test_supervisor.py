"""What crashes is restarted, with growing pauses, and not for ever."""

from __future__ import annotations

from typing import Any

import pytest
import structlog.testing
import trio

from etl_actors.errors import Ended
from etl_actors.supervisor import GaveUp, Restarts, Supervised


def longest(low: float, high: float) -> float:
    """The jitter at its longest, so that times are known."""
    return high


class Crashing:
    """An actor that crashes ``times`` times, then finishes; remembers when it was started."""

    def __init__(self, times: float) -> None:
        self.times = times
        self.started: list[float] = []

    async def __call__(self) -> None:
        self.started.append(trio.current_time())
        if len(self.started) <= self.times:
            raise RuntimeError(f"crash {len(self.started)}")


async def test_a_crash_is_followed_by_another_start(autojump_clock: Any) -> None:
    """Pauses double, up to their bound."""
    actor = Crashing(times=4)
    supervised = Supervised("a", Restarts(intensity=5, first_pause_seconds=1, longest_pause_seconds=5), draw=longest)
    began = trio.current_time()
    await supervised.run(actor)
    assert [when - began for when in actor.started] == pytest.approx([0, 2, 6, 11, 16])
    statistics = supervised.statistics()
    assert (statistics.state, statistics.restarts, statistics.last_error) == ("finished", 4, "RuntimeError: crash 4")


async def test_ours_gives_up_when_it_keeps_crashing(autojump_clock: Any) -> None:
    """More than the intensity within the period ends in one sentence."""
    supervised = Supervised("loader", Restarts(intensity=3))
    with pytest.raises(GaveUp, match="loader crashed 4 times in 30 s: RuntimeError: crash 4"):
        await supervised.run(Crashing(times=100))
    assert supervised.statistics().state == "failed"


async def test_crashes_far_apart_do_not_add_up(autojump_clock: Any) -> None:
    """Only what happens within the period counts."""
    supervised = Supervised(
        "slow",
        Restarts(intensity=1, period_seconds=30, first_pause_seconds=50, longest_pause_seconds=100),
        draw=longest,
    )
    await supervised.run(Crashing(times=10))
    assert supervised.statistics().restarts == 10


async def test_a_connector_is_parked_and_tried_again(autojump_clock: Any) -> None:
    """Beyond the intensity it waits up to a minute, and never gives up."""
    actor = Crashing(times=8)
    supervised = Supervised("connector:x", Restarts(intensity=5, parked_seconds=60.0), draw=longest)
    await supervised.run(actor)
    pauses = [later - earlier for earlier, later in zip(actor.started, actor.started[1:], strict=False)]
    assert pauses[5] == pytest.approx(60)
    assert max(pauses[:5]) <= 5


async def test_cancelling_is_not_a_crash(autojump_clock: Any) -> None:
    """A cancelled actor is not started again."""
    supervised = Supervised("a", Restarts(intensity=3))
    with trio.move_on_after(10) as scope:
        await supervised.run(trio.sleep_forever)
    assert scope.cancelled_caught
    assert supervised.statistics().restarts == 0


async def test_what_ended_outside_is_told_in_its_own_words(autojump_clock: Any) -> None:
    """It is no crash of ours: no traceback, and nothing of a Python class in the sentence."""

    async def end() -> None:
        raise Ended("it ended by SIGKILL")

    supervised = Supervised("the server", Restarts(intensity=1))
    with structlog.testing.capture_logs() as said, pytest.raises(GaveUp, match=r"30 s: it ended by SIGKILL$"):
        await supervised.run(end)
    assert [(one["event"], "exc_info" in one) for one in said] == [("actor.ended", False)] * 2
