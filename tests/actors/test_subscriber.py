"""What waits for a subscriber leaves through its outlet, whether the outlet takes it at once or not."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.filtering import EVERYTHING
from etl_actors.messages import Loaded

from .events import event
from .history import broadcaster

# For each attempt to write: how many texts the socket takes. Behind the last it takes everything.
MOODS = st.lists(st.integers(0, 4), max_size=40)
# How many events come together, and whether a reply follows.
BATCHES = st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=1, max_size=12)


class Outlet:
    """A socket that takes as many texts as its moods allow; notes what has left, and how often it was waited for."""

    def __init__(self, moods: Sequence[int] = ()) -> None:
        self.left: list[bytes] = []
        self.waits = 0
        self._moods = deque(moods)
        self._kept: list[bytes] = []

    @property
    def is_clogged(self) -> bool:
        """Whether some were not taken."""
        return bool(self._kept)

    def send_nowait(self, texts: Sequence[bytes]) -> None:
        """As many as are taken."""
        waiting = [*self._kept, *texts]
        many = self._moods.popleft() if self._moods else len(waiting)
        self.left += waiting[:many]
        self._kept = waiting[many:]

    async def send(self, texts: Sequence[bytes]) -> None:
        """All of them, what is not taken at once after a while."""
        self.waits += 1
        self.send_nowait(texts)
        kept, self._kept = self._kept, []
        await trio.sleep(0.01 if kept else 0)
        self.left += kept

    def offsets(self) -> list[int]:
        """Those of the events that have left."""
        return [said["offset"] for said in map(json.loads, self.left) if "id" in said]


async def served(
    batches: Sequence[tuple[int, bool]], outlet: Outlet, *, buffer_bytes: int = 1_000_000, pause: float = 0.0
) -> list[int]:
    """So many events a batch, published to one subscriber whose outlet this is; after some a position is told.

    Returns what had left before the end.
    """
    live = broadcaster(buffer_bytes=buffer_bytes)
    send, receive = trio.open_memory_channel[Loaded](0)
    with live.subscriber() as subscriber:
        subscriber.subscribe_nowait("mine", EVERYTHING)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(live.run, receive)
            nursery.start_soon(subscriber.leave_through, outlet)
            await trio.testing.wait_all_tasks_blocked()
            first = 1
            for many, told in batches:
                await send.send(Loaded(events=tuple(event(offset) for offset in range(first, first + many))))
                first += many
                await trio.sleep(pause)
                if told:
                    subscriber.tell_position_nowait()
                await trio.sleep(pause)
            await trio.testing.wait_all_tasks_blocked()
            left = outlet.offsets()
            await send.aclose()
            live.close_nowait()
    return left


@given(BATCHES, MOODS)
def test_whatever_the_socket_takes_everything_leaves_once_and_in_order(
    batches: list[tuple[int, bool]], moods: list[int]
) -> None:
    """Written by whoever publishes or by its own task, with replies in between."""
    outlet = Outlet(moods)
    trio.run(lambda: served(batches, outlet), clock=trio.testing.MockClock(autojump_threshold=0))
    assert outlet.offsets() == list(range(1, sum(many for many, _ in batches) + 1))
    assert not outlet.is_clogged
    positions = [said["offset"] for said in map(json.loads, outlet.left) if said["type"] == "position"]
    assert len(positions) == sum(told for _, told in batches)
    places = [said["offset"] for said in map(json.loads, outlet.left)]
    assert places == sorted(places)


async def test_while_nothing_waits_no_task_is_woken_for_an_event(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever publishes writes it; only replies are sent by the task of the socket."""
    outlet = Outlet()
    await served([(3, True), (1, False), (5, True)], outlet, pause=1.0)
    assert outlet.offsets() == list(range(1, 10))
    assert outlet.waits == 2  # one for each position


async def test_what_is_too_much_for_one_write_leaves_in_several(autojump_clock: trio.testing.MockClock) -> None:
    """Without anything else that would wake its task."""
    outlet = Outlet()
    assert await served([(10_000, False)], outlet, buffer_bytes=10_000_000) == list(range(1, 10_001))


async def test_a_socket_that_takes_nothing_holds_nothing_up(autojump_clock: trio.testing.MockClock) -> None:
    """What it was given stays with it; what waits behind that is let go by the policy, and its task ends."""

    class Stuck(Outlet):
        async def send(self, texts: Sequence[bytes]) -> None:
            self.waits += 1
            await trio.sleep(1_000)
            self._kept.clear()

    outlet = Stuck([0] * 100)
    await served([(8, True)] * 200, outlet, buffer_bytes=50_000)
    assert outlet.left == []
    assert outlet.waits == 1
