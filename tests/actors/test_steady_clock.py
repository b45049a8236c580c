"""A clock that jumps is not believed at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import trio
from trio.testing import MockClock

from etl_actors.actors.steady_clock import BELIEVED_AFTER_SECONDS, SteadyClock

START = datetime(2026, 3, 1, tzinfo=UTC)


class Machine:
    """Its clock, which is ``wrong`` by so much."""

    def __init__(self) -> None:
        self.wrong = timedelta()
        self._began = trio.current_time()

    def right(self) -> datetime:
        return START + timedelta(seconds=trio.current_time() - self._began)

    def __call__(self) -> datetime:
        return self.right() + self.wrong


async def test_a_clock_that_goes_right_is_believed(autojump_clock: MockClock) -> None:
    """And one that is set a little, too."""
    machine = Machine()
    clock = SteadyClock(machine)
    for wrong in (0, 30, -300, 250):
        machine.wrong = timedelta(seconds=wrong)
        assert clock() == machine()
        await trio.sleep(15)


async def test_a_jump_and_back_is_never_believed(autojump_clock: MockClock) -> None:
    """An hour, a month, and to 1970."""
    machine = Machine()
    clock = SteadyClock(machine)
    clock()
    for wrong in (timedelta(hours=1), timedelta(days=30), datetime(1970, 1, 1, tzinfo=UTC) - START):
        machine.wrong = wrong
        for _ in range(100):
            await trio.sleep(15)
            assert clock() == machine.right()
        machine.wrong = timedelta()
        await trio.sleep(15)
        assert clock() == machine.right()


async def test_a_jump_that_stays_is_believed_in_the_end(autojump_clock: MockClock) -> None:
    """After an hour without another one."""
    machine = Machine()
    clock = SteadyClock(machine)
    clock()
    machine.wrong = timedelta(days=400)
    clock()
    await trio.sleep(BELIEVED_AFTER_SECONDS - 1)
    assert clock() == machine.right()
    await trio.sleep(2)
    assert clock() == machine()
