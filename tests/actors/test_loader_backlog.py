"""What cannot be stored waits on disk, in line; subscribers hear of it at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from etl_actors.actors.floodgate import Floodgate
from etl_actors.actors.loader import Loader
from etl_actors.actors.loader_backlog import TOGETHER_BATCHES, Backlog
from etl_actors.actors.loader_patience import PATIENCE_SECONDS
from etl_actors.errors import EpochLost, SpoolFull, SpoolUnavailable, StorageRefused, StorageUnavailable
from etl_actors.ledger import Ledger
from etl_actors.messages import UNOWNED, Batch, Checkpoint, Event, Loaded, Transformed, Unstored

from .parts import transformed
from .test_loader import Memory


class Place(Struct):
    """A batch in the queue."""

    sequence: int
    batch: Batch


class Count(Struct):
    """How many wait."""

    batches: int


class Queue:
    """A spool in memory, which keeps time as the test does. It may be ``full``, or the disk ``broken``."""

    def __init__(self, batches: Sequence[Batch] = ()) -> None:
        self.full = self.broken = False
        self.waiting = [Place(number + 1, batch) for number, batch in enumerate(batches)]
        self.kept = len(self.waiting)

    async def append(self, batch: Batch) -> None:
        await trio.sleep(0.001)
        self._fail()
        if self.full:
            raise SpoolFull("full")
        self.kept += 1
        self.waiting.append(Place(self.kept, batch))

    async def first(self, after: int = 0) -> Place | None:
        await trio.sleep(0.001)
        self._fail()
        return next((place for place in self.waiting if place.sequence > after), None)

    async def remove(self, *sequences: int) -> None:
        await trio.sleep(0.001)
        self._fail()
        self.waiting = [place for place in self.waiting if place.sequence not in sequences]

    def statistics(self) -> Count:
        return Count(len(self.waiting))

    def _fail(self) -> None:
        if self.broken:
            raise SpoolUnavailable("broken")


class Scene:
    """A loader with a database and a disk that can be taken away."""

    def __init__(self, queue: Queue | None = None) -> None:
        self.away = False
        self.writer = Memory(self._trouble)
        self.queue = queue or Queue()
        self.ledger = Ledger()
        self.gate = Floodgate()
        self.lost: dict[str, int] = {}
        self.fenced: set[str] = set()
        self.refused: UUID | None = None
        self.said: list[Event | Unstored] = []
        self.loader = Loader(
            self.writer,
            max_batch_rows=1_000,
            max_batch_age_seconds=0.1,
            on_epoch_lost=self.lost.update,
            ledger=self.ledger,
            backlog=Backlog(self.queue),
            floodgate=self.gate,
        )

    def _trouble(self, batch: Batch) -> None:
        if self.away:
            raise StorageUnavailable("away")
        lost = {part.connector_id for part in batch.parts if part.epoch != UNOWNED} & self.fenced
        if lost:
            raise EpochLost(frozenset(lost))
        if any(part.extraction_id == self.refused and part.store_response for part in batch.parts):
            raise StorageRefused("no")

    @property
    def stored(self) -> list[Any]:
        """Which extractions were stored, in order."""
        return [part.extraction_id for batch in self.writer.batches for part in batch.parts]

    async def play(self, act: Callable[[trio.MemorySendChannel[Transformed]], Any]) -> None:
        """Run the loader while ``act`` sends parts, and a while longer."""
        send, receive = trio.open_memory_channel[Transformed](0)
        loaded_send, loaded_receive = trio.open_memory_channel[Loaded](0)

        async def hear() -> None:
            async for loaded in loaded_receive:
                self.said.extend(loaded.events)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear)
            nursery.start_soon(self.loader.run, receive, loaded_send)
            async with send:
                await act(send)
                await trio.sleep(30)


async def idle(send: trio.MemorySendChannel[Transformed]) -> None:
    """Nothing new comes."""


async def test_what_cannot_be_stored_leaves_at_once_and_is_stored_in_order_later(autojump_clock: Any) -> None:
    """Without an offset first, with one when it is stored; what comes behind gets in line."""
    scene, parts = Scene(), [transformed() for _ in range(6)]

    async def act(send: trio.MemorySendChannel[Transformed]) -> None:
        await send.send(parts[0])
        await trio.sleep(1)
        scene.away = True
        for part in parts[1:4]:
            await send.send(part)
            await trio.sleep(2 * PATIENCE_SECONDS)
        assert [(event.event_id, event.offset) for event in scene.said] == [
            (parts[0].extraction_id, 1), *((part.extraction_id, None) for part in parts[1:4]),
        ]  # fmt: skip
        statistics = scene.loader.statistics()
        assert (statistics.spooled, statistics.waits, statistics.last_error) == (3, True, "away")
        scene.away = False
        await trio.sleep(10)
        await send.send(parts[4])
        await send.send(parts[5])

    await scene.play(act)
    assert scene.stored == [part.extraction_id for part in parts]
    assert [event.offset for event in scene.said if event.offset is not None] == [1, 2, 3, 4, 5, 6]
    assert not scene.queue.waiting
    assert not scene.loader.statistics().waits


# A moment is: is the database there, what is wrong with the disk, and how many parts come.
MOMENTS = st.lists(st.tuples(st.booleans(), st.sampled_from(("", "full", "broken")), st.integers(0, 3)), max_size=25)


@given(MOMENTS)
def test_whatever_goes_away_everything_is_stored_once_and_in_order(moments: list[tuple[bool, str, int]]) -> None:
    """And everything was said at least once, with or without an offset."""
    scene, parts = Scene(), [transformed(items=0) for _ in range(sum(many for _, _, many in moments))]

    async def act(send: trio.MemorySendChannel[Transformed]) -> None:
        coming = iter(parts)
        async with trio.open_nursery() as nursery:

            async def come() -> None:
                for _, _, many in moments:
                    for _ in range(many):
                        await send.send(next(coming))
                    await trio.sleep(0.7)

            nursery.start_soon(come)
            for there, wrong, _ in moments:
                scene.away = not there
                scene.queue.full, scene.queue.broken = wrong == "full", wrong == "broken"
                await trio.sleep(0.9)
            scene.away = scene.queue.full = scene.queue.broken = False

    trio.run(partial(scene.play, act), clock=trio.testing.MockClock(autojump_threshold=0))
    ids = [part.extraction_id for part in parts]
    assert scene.stored == ids
    assert {event.event_id for event in scene.said} == set(ids)
    assert list(dict.fromkeys(event.event_id for event in scene.said if event.offset is not None)) == ids
    assert not scene.queue.waiting


async def test_whoever_waits_for_his_own_is_refused(autojump_clock: Any) -> None:
    """A message or an extraction is not put on disk: its caller is told, and tries again."""
    scene, mine, read = Scene(), transformed(epoch=UNOWNED), transformed()
    settlement = scene.ledger.accept(mine.extraction_id, "one")

    async def act(send: trio.MemorySendChannel[Transformed]) -> None:
        scene.away = True
        await send.send(mine)
        await send.send(read)
        with pytest.raises(StorageUnavailable, match="away"), trio.fail_after(10):
            await settlement.wait()
        scene.away = False

    await scene.play(act)
    assert scene.stored == [read.extraction_id]


async def test_what_waited_outlives_its_epoch_except_behind_a_cursor(autojump_clock: Any) -> None:
    """Whoever owns the connector now reads from the cursor on again, but not what a stream said."""
    frame = transformed("fenced", kind="frame", checkpoint=Checkpoint(cursor={"last": 7}))
    answer = transformed("fenced")
    moved = transformed("fenced", checkpoint=Checkpoint(cursor=7))
    other = transformed("other")
    scene = Scene()

    async def act(send: trio.MemorySendChannel[Transformed]) -> None:
        scene.away = True
        for part in (frame, answer, moved, other):
            await send.send(part)
        await trio.sleep(5)
        scene.fenced = {"fenced"}
        scene.away = False

    await scene.play(act)
    assert scene.stored == [frame.extraction_id, answer.extraction_id, other.extraction_id]
    assert scene.lost == {"fenced": 1}


async def test_what_a_process_before_left_is_stored_before_anything_new(autojump_clock: Any) -> None:
    """From the first moment on."""
    old, new = transformed(), transformed()
    scene = Scene(Queue([Batch(batch_id=old.extraction_id, parts=(old,), left_by="age")]))
    assert scene.loader.statistics().waits

    async def act(send: trio.MemorySendChannel[Transformed]) -> None:
        await send.send(new)

    await scene.play(act)
    assert scene.stored == [old.extraction_id, new.extraction_id]


def waiting(*parts: Transformed) -> Queue:
    """A queue with a batch for each."""
    return Queue([Batch(batch_id=part.extraction_id, parts=(part,), left_by="age") for part in parts])


async def test_the_floodgate_is_closed_while_nothing_can_be_kept(autojump_clock: Any) -> None:
    """Neither in the database nor on disk; it opens when there is a place again."""
    scene, parts = Scene(), [transformed(), transformed()]

    async def act(send: trio.MemorySendChannel[Transformed]) -> None:
        scene.away = scene.queue.full = True
        await send.send(parts[0])
        await trio.sleep(5)
        assert scene.gate.reason == "full"
        scene.away = False
        await trio.sleep(1)
        assert scene.gate.reason is None
        await send.send(parts[1])

    await scene.play(act)
    assert scene.stored == [part.extraction_id for part in parts]


async def test_small_batches_that_wait_are_stored_together(autojump_clock: Any) -> None:
    """As many as are worth one commit."""
    parts = [transformed(items=0) for _ in range(2 * TOGETHER_BATCHES)]
    scene = Scene(waiting(*parts))
    await scene.play(idle)
    assert scene.stored == [part.extraction_id for part in parts]
    assert [batch_id for batch_id, _ in scene.writer.attempts] == [
        parts[0].extraction_id,
        parts[TOGETHER_BATCHES].extraction_id,
    ]


async def test_of_those_stored_together_a_bad_one_costs_itself(autojump_clock: Any) -> None:
    """It is kept as rejected in its place; the others are stored as they are."""
    parts = [transformed("bad" if number == 7 else "good", items=0) for number in range(20)]
    scene = Scene(waiting(*parts))
    scene.refused = parts[7].extraction_id
    await scene.play(idle)
    assert scene.stored == [part.extraction_id for part in parts]
    kept = [part for batch in scene.writer.batches for part in batch.parts if part.rejected]
    assert [part.connector_id for part in kept] == ["bad"]


async def test_what_was_read_under_two_epochs_is_not_stored_together(autojump_clock: Any) -> None:
    """One commit has one epoch of a connector to judge."""
    parts = [transformed(items=0, epoch=epoch) for epoch in (1, 1, 2, 2)]
    scene = Scene(waiting(*parts))
    await scene.play(idle)
    assert scene.stored == [part.extraction_id for part in parts]
    assert [batch_id for batch_id, _ in scene.writer.attempts] == [parts[0].extraction_id, parts[2].extraction_id]


async def test_a_disk_that_cannot_be_read_for_a_while_is_waited_out(autojump_clock: Any) -> None:
    """Nothing overtakes what waits on it."""
    old, new = transformed(), transformed()
    scene = Scene(Queue([Batch(batch_id=old.extraction_id, parts=(old,), left_by="age")]))

    async def act(send: trio.MemorySendChannel[Transformed]) -> None:
        scene.queue.broken = True
        await send.send(new)
        await trio.sleep(20)
        assert scene.stored == []
        scene.queue.broken = False

    await scene.play(act)
    assert scene.stored == [old.extraction_id, new.extraction_id]


async def test_a_loader_that_crashed_goes_on_with_what_it_held(autojump_clock: Any) -> None:
    """The batch in its hand, and the parts that it was still collecting."""
    parts = [transformed(items=400) for _ in range(4)]
    crashes = iter(range(2))

    def crash(batch: Batch) -> None:
        if next(crashes, None) is not None:
            raise RuntimeError("a bug")

    writer = Memory(crash)
    loader = Loader(writer, max_batch_rows=1_000, max_batch_age_seconds=5, on_epoch_lost=lambda lost: None)
    send, receive = trio.open_memory_channel[Transformed](10)
    loaded_send, loaded_receive = trio.open_memory_channel[Loaded](10)
    for part in parts:
        send.send_nowait(part)
    async with receive, loaded_send, loaded_receive:
        for _ in range(2):
            with pytest.raises(BaseExceptionGroup):
                await loader.run(receive.clone(), loaded_send.clone())
        await send.aclose()
        await loader.run(receive.clone(), loaded_send.clone())
    assert [part.extraction_id for batch in writer.batches for part in batch.parts] == [
        part.extraction_id for part in parts
    ]
