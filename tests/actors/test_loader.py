"""The loader commits everything it was given, whatever storage says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import trio

from etl_actors.actors.loader import Loader
from etl_actors.actors.loader_commit import CommitTimer
from etl_actors.errors import EpochLost, ReplaysLost, StorageRefused, StorageUnavailable
from etl_actors.messages import UNOWNED, Batch, Event, Loaded, Transformed, Unstored

from .parts import RECEIVED, transformed


class Memory:
    """A writer that keeps batches in memory; ``trouble(batch)`` may raise, ``blame(part, copies)`` finds items."""

    def __init__(
        self,
        trouble: Callable[[Batch], None] = lambda batch: None,
        blame: Callable[[Transformed, int], dict[int, str] | None] = lambda part, copies: None,
    ) -> None:
        self.trouble = trouble
        self.blame = blame
        self.batches: list[Batch] = []
        self.attempts: list[tuple[Any, float]] = []

    async def refused_items(self, part: Transformed, *, copies: int) -> dict[int, str] | None:
        return self.blame(part, copies)

    async def write(self, *batches: Batch) -> tuple[Event, ...]:
        self.attempts.append((batches[0].batch_id, trio.current_time()))
        await trio.lowlevel.checkpoint()
        for batch in batches:
            self.trouble(batch)
        return tuple(event for batch in batches for event in self._written(batch))

    def _written(self, batch: Batch) -> list[Event]:
        before = [one.batch_id for one in self.batches]
        if batch.batch_id in before:  # the answer to its commit was lost
            place = before.index(batch.batch_id)
        else:
            place = len(before)
            self.batches.append(batch)
        first = sum(len(one.parts) for one in self.batches[:place]) + 1
        return [
            Event(
                offset=first + place,
                event_id=part.extraction_id,
                type="price_update",
                connector_id=part.connector_id,
                timestamp=part.received_at,
                encoded=b"{}",
            )
            for place, part in enumerate(batch.parts)
            if part.store_response
        ]

    async def unstored(self, parts: Sequence[Transformed]) -> tuple[Unstored, ...]:
        return tuple(
            Unstored(
                event_id=part.extraction_id,
                type="price_update",
                connector_id=part.connector_id,
                timestamp=part.received_at,
                encoded=b"{}",
            )
            for part in parts
        )


async def load(
    writer: Memory,
    parts: Iterable[Transformed],
    *,
    rows: int = 1000,
    age: float = 0.1,
    lost: set[str] | None = None,
    timer: CommitTimer | None = None,
) -> list[Loaded]:
    """Run a loader over ``parts`` until its input ends; what it said."""
    loader = Loader(
        writer,
        max_batch_rows=rows,
        max_batch_age_seconds=age,
        on_epoch_lost=(lost if lost is not None else set()).update,
        timer=timer,
    )
    transformed_send, transformed_receive = trio.open_memory_channel[Transformed](100)
    loaded_send, loaded_receive = trio.open_memory_channel[Loaded](100)
    for part in parts:
        await transformed_send.send(part)
    await transformed_send.aclose()
    await loader.run(transformed_receive, loaded_send)
    return [loaded async for loaded in loaded_receive]


async def test_what_is_left_at_the_end_is_committed(autojump_clock: Any) -> None:
    """The end of the input flushes."""
    writer = Memory()
    (said,) = await load(writer, [transformed(), transformed()])
    assert [event.offset for event in said.events] == [1, 2]
    assert writer.batches[0].left_by == "end"


async def test_each_commit_that_succeeds_is_timed_once(autojump_clock: Any) -> None:
    """Attempts that fail are not, and what was refused is not."""
    troubles = iter([StorageUnavailable("away"), StorageRefused("no")])

    def fail_first(batch: Batch) -> None:
        for trouble in troubles:
            raise trouble

    class Timer:
        def __init__(self) -> None:
            self.told: list[int] = []

        def committed(self, parts: Sequence[Transformed], seconds: float) -> None:
            assert seconds >= 0
            self.told.append(len(parts))

    timer = Timer()
    await load(Memory(fail_first), [transformed(), transformed()], timer=timer)
    assert timer.told == [1, 1]  # the batch of two was refused, and halved


async def test_a_full_batch_leaves_before_its_age(autojump_clock: Any) -> None:
    """Size first, age for the rest."""
    writer = Memory()
    await load(writer, [transformed(items=4) for _ in range(5)], rows=10, age=3600)
    assert [(batch.left_by, len(batch.parts)) for batch in writer.batches] == [("size", 2), ("size", 2), ("end", 1)]


async def test_a_batch_leaves_when_it_is_old_enough(autojump_clock: Any) -> None:
    """A trickle is committed in time, and nothing is lost between the age and the next part."""
    writer = Memory()
    loader = Loader(writer, max_batch_rows=1000, max_batch_age_seconds=0.1, on_epoch_lost=lambda lost: None)
    transformed_send, transformed_receive = trio.open_memory_channel[Transformed](0)
    loaded_send, loaded_receive = trio.open_memory_channel[Loaded](100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(loader.run, transformed_receive, loaded_send)
        for _ in range(3):
            await transformed_send.send(transformed())
            await trio.sleep(1)
        await transformed_send.aclose()
    assert [batch.left_by for batch in writer.batches] == ["age", "age", "age"]
    assert loaded_receive.statistics().current_buffer_used == 3


async def test_while_storage_is_away_the_same_batch_is_tried_again(autojump_clock: Any) -> None:
    """It keeps its id, so a commit whose answer was lost is not stored twice."""
    attempts = iter(range(5))

    def away(batch: Batch) -> None:
        if next(attempts, 9) < 4:
            raise StorageUnavailable("no connection")

    writer = Memory(away)
    (said,) = await load(writer, [transformed()])
    assert len(said.events) == 1
    assert len({batch_id for batch_id, _ in writer.attempts}) == 1
    assert len(writer.attempts) == 5


async def test_a_connector_that_was_taken_over_leaves_the_batch(autojump_clock: Any) -> None:
    """The others of the batch are committed, and whoever runs the actor is told."""

    def fence(batch: Batch) -> None:
        if any(part.connector_id == "lost" for part in batch.parts):
            raise EpochLost(frozenset({"lost"}))

    lost: set[str] = set()
    writer = Memory(fence)
    (said,) = await load(writer, [transformed("kept"), transformed("lost"), transformed("kept")], lost=lost)
    assert [event.connector_id for event in said.events] == ["kept", "kept"]
    assert lost == {"lost"}


async def test_what_a_caller_asked_of_a_connector_that_was_taken_over_is_stored(autojump_clock: Any) -> None:
    """Nobody owns it; and the actor is told the epoch it read under."""
    asked = transformed("lost", epoch=UNOWNED)

    def fence(batch: Batch) -> None:
        if any(part.connector_id == "lost" and part.epoch != UNOWNED for part in batch.parts):
            raise EpochLost(frozenset({"lost"}))

    told: dict[str, int] = {}
    writer = Memory(fence)
    loader = Loader(writer, max_batch_rows=1_000, max_batch_age_seconds=0.1, on_epoch_lost=told.update)
    send, receive = trio.open_memory_channel[Transformed](10)
    loaded_send, loaded_receive = trio.open_memory_channel[Loaded](10)
    for part in (transformed("lost"), asked):
        send.send_nowait(part)
    await send.aclose()
    async with loaded_receive:
        await loader.run(receive, loaded_send)
    assert [part.extraction_id for batch in writer.batches for part in batch.parts] == [asked.extraction_id]
    assert told == {"lost": 1}


async def test_one_extraction_that_cannot_be_stored_costs_only_itself(autojump_clock: Any) -> None:
    """It is found by halving, and kept as rejected, raw, with the reason."""
    bad = transformed("bad")

    def refuse(batch: Batch) -> None:
        if any(part.connector_id == "bad" and part.store_response for part in batch.parts):
            raise StorageRefused("value out of range")

    writer = Memory(refuse)
    said = await load(writer, [*[transformed("good") for _ in range(7)], bad])
    assert sum(len(loaded.events) for loaded in said) == 7
    kept = [part for batch in writer.batches for part in batch.parts if part.connector_id == "bad"]
    assert [(part.items, part.rejected[0].raw, part.store_response) for part in kept] == [((), bad.body, False)]
    assert "value out of range" in kept[0].rejected[0].reason


async def test_one_bad_item_of_thousands_costs_only_itself(autojump_clock: Any) -> None:
    """It is rejected as the element it was made of, and the response and the other items are stored."""
    sources = tuple((place + 2, {"n": place}) for place in range(10_000))
    part = transformed(items=10_000, sources=sources)

    def refuse(batch: Batch) -> None:
        if any(len(part.items) == 10_000 for part in batch.parts):
            raise StorageRefused("value out of range")

    writer = Memory(refuse, lambda part, copies: {7: "value out of range"})
    (said,) = await load(writer, [part])
    assert len(said.events) == 1
    (stored,) = writer.batches[0].parts
    assert (len(stored.items), stored.body, stored.extraction_id) == (9_999, part.body, part.extraction_id)
    (rejected,) = stored.rejected
    assert (rejected.raw, rejected.kind, rejected.position) == (b'{"n":7}', "element", 9)
    assert (rejected.where, rejected.reason) == ("element 9", "PostgreSQL refused it: value out of range")


async def test_an_extraction_whose_bad_items_are_too_many_is_rejected_whole(autojump_clock: Any) -> None:
    """After as many trials as there may be."""
    budgets: list[int] = []

    def refuse(batch: Batch) -> None:
        if batch.parts[0].items:
            raise StorageRefused("no")

    def give_up(part: Transformed, copies: int) -> None:
        budgets.append(copies)

    writer = Memory(refuse, give_up)
    await load(writer, [transformed(sources=((1, 1), (2, 2)))])
    (stored,) = writer.batches[0].parts
    assert (stored.items, stored.store_response, stored.rejected[0].raw) == ((), False, stored.body)
    assert budgets == [64]


async def test_a_replay_that_cannot_be_stored_stays_as_it_was(autojump_clock: Any) -> None:
    """It is in the table of what is rejected already; and of a batch without it the rest is stored."""

    def refuse(batch: Batch) -> None:
        if any(part.replays for part in batch.parts):
            raise StorageRefused("no")

    writer = Memory(refuse)
    await load(writer, [transformed(kind="element", replays=(RECEIVED, 1)), transformed("good")])
    assert [part.connector_id for batch in writer.batches for part in batch.parts] == ["good"]


async def test_a_replay_that_somebody_else_made_leaves_the_batch(autojump_clock: Any) -> None:
    """The others are committed, under the same id."""
    late = transformed(replays=(RECEIVED, 1))

    def lose(batch: Batch) -> None:
        if late in batch.parts:
            raise ReplaysLost(frozenset({late.extraction_id}))

    writer = Memory(lose)
    (said,) = await load(writer, [transformed("kept"), late])
    assert [event.connector_id for event in said.events] == ["kept"]
    assert len({batch_id for batch_id, _ in writer.attempts}) == 1


async def test_a_part_that_is_refused_even_as_rejected_does_not_stop_the_rest(autojump_clock: Any) -> None:
    """The next batch does not wait for it for ever."""

    def refuse(batch: Batch) -> None:
        if any(part.connector_id == "bad" for part in batch.parts):
            raise StorageRefused("no")

    said = await load(Memory(refuse), [transformed("bad"), transformed("good")])
    assert [event.connector_id for loaded in said for event in loaded.events] == ["good"]
