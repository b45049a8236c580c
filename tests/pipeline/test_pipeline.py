"""The whole drawing at work: what was taken in comes out, a crash loses nothing of others, stopping drains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
import trio

from etl_actors.actors.broadcaster import Broadcaster
from etl_actors.actors.janitor import Janitor
from etl_actors.actors.loader import Loader
from etl_actors.actors.subscriber import Subscriber
from etl_actors.actors.transformer import Transformer
from etl_actors.crew import Crew
from etl_actors.errors import NotDrained, StorageUnavailable
from etl_actors.filtering import EVERYTHING
from etl_actors.ledger import Ledger
from etl_actors.messages import Batch, Event, Extracted, Item
from etl_actors.pipeline import Pipeline
from etl_actors.side_door import SideDoor
from etl_actors.supervisor import GaveUp

from ..actors.parts import extracted, transformed


class Numbers:
    """A mapping that makes one item of a number."""

    api_name = "Numbers"
    exchange = "test"
    has_items = True
    mapped_fields: Mapping[str, str] = {"price": "@"}

    def elements(self, document: Any) -> Sequence[Any]:
        return [document]

    def map_element(self, element: Any, position: int, params: Mapping[str, str]) -> Item | None:
        return Item(price=str(element))


class Counting:
    """A connector that says 1, 2, 3 … ``crash_at`` crashes it once, before it says that number."""

    def __init__(self, name: str = "one", *, every: float = 1.0, crash_at: int | None = None) -> None:
        self.name = name
        self.ledger = Ledger()
        self.every = every
        self.crash_at = crash_at
        self.said = 0

    async def run(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        while True:
            await trio.sleep(self.every)
            if self.said + 1 == self.crash_at:
                self.crash_at = None
                raise RuntimeError("crashed")
            self.said += 1
            message = extracted(self.said, connector_id=self.name)
            self.ledger.accept(message.extraction_id, self.name)
            await extracted_send.send(message)


class Memory:
    """A writer; ``trouble`` may raise, ``seconds`` is how long a commit takes."""

    def __init__(self, *, seconds: float = 0.0, trouble: Callable[[], None] = lambda: None) -> None:
        self.seconds = seconds
        self.trouble = trouble
        self.prices: dict[str, list[str]] = {}
        self.head = 0

    async def write(self, *batches: Batch) -> tuple[Event, ...]:
        await trio.sleep(self.seconds)
        self.trouble()
        events = []
        for part in (part for batch in batches for part in batch.parts):
            self.prices.setdefault(part.connector_id, []).extend(item.price or "" for item in part.items)
            self.head += 1
            events.append(
                Event(
                    offset=self.head,
                    event_id=part.extraction_id,
                    type="price_update",
                    connector_id=part.connector_id,
                    timestamp=part.received_at,
                    encoded=str(self.head).encode(),
                )
            )
        return tuple(events)


class Idle:
    """A store that never has anything to drop."""

    async def sweep(self, now: datetime) -> int:
        return 0


class Nothing:
    """A history of which nothing is left; nobody resumes here."""

    async def after(self, offset: int, *, limit: int, max_bytes: int) -> list[Event]:
        return []

    async def bounds(self) -> tuple[UUID, int, int]:
        return UUID(int=1), 1, 0


async def everything(subscriber: Subscriber) -> list[bytes]:
    """What a subscriber is given until the end."""
    heard: list[bytes] = []
    while (frame := await subscriber.receive()) is not None:
        heard.append(frame.text)
    return heard


def drawing(writer: Memory, *connectors: Counting) -> tuple[Pipeline, Broadcaster]:
    """A pipeline of real actors between these ends."""
    ledger = Ledger()
    for connector in connectors:
        connector.ledger = ledger
    broadcaster = Broadcaster(buffer_bytes=1_000_000, stream=UUID(int=1), head=0, history=Nothing())
    pipeline = Pipeline(
        crew=Crew(ledger, {connector.name: connector for connector in connectors}),
        side_door=SideDoor(ledger),
        transformer=Transformer(lambda connector_id: Numbers(), msgspec.json.encode),
        loader=Loader(
            writer, max_batch_rows=100, max_batch_age_seconds=0.1, on_epoch_lost=lambda lost: None, ledger=ledger
        ),
        broadcaster=broadcaster,
        janitor=Janitor(Idle()),
    )
    return pipeline, broadcaster


async def run_for(pipeline: Pipeline, seconds: float, *, drain_seconds: float = 10) -> None:
    """Run, then stop."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipeline.run)
        await trio.sleep(seconds)
        pipeline.stop_nowait(drain_seconds)


def numbers(many: int) -> list[str]:
    """1 … many, as they are stored."""
    return [str(number) for number in range(1, many + 1)]


async def test_what_is_taken_in_is_stored_and_sent_in_order(autojump_clock: Any) -> None:
    """From the connector to the subscriber, everything once."""
    writer, connector = Memory(), Counting()
    pipeline, broadcaster = drawing(writer, connector)
    with broadcaster.subscriber() as subscriber:
        subscriber.subscribe_nowait(None, EVERYTHING)
        await run_for(pipeline, 50.5)
        heard = [int(text) for text in await everything(subscriber)]
    assert writer.prices == {"one": numbers(connector.said)}
    assert heard == list(range(1, connector.said + 1))
    assert pipeline.drained


async def test_stopping_drains_what_was_accepted(autojump_clock: Any) -> None:
    """A slow writer has as long as the drain lasts; nothing that a connector said is missing."""
    writer, connector = Memory(seconds=0.7), Counting(every=0.01)
    pipeline, _ = drawing(writer, connector)
    await run_for(pipeline, 5, drain_seconds=600)
    assert writer.prices == {"one": numbers(connector.said)}
    assert pipeline.drained


async def test_a_writer_that_never_returns_is_cut_at_the_budget(autojump_clock: Any) -> None:
    """And the pipeline says that it did not drain."""

    def away() -> None:
        raise StorageUnavailable("no connection")

    pipeline, _ = drawing(Memory(trouble=away), Counting())
    began = trio.current_time()
    await run_for(pipeline, 5, drain_seconds=3)
    assert trio.current_time() - began < 8.5
    assert not pipeline.drained


async def test_back_pressure_stops_the_intake_instead_of_piling_up(autojump_clock: Any) -> None:
    """While nothing can be stored, a connector waits; the channels hold what they may and no more."""
    stuck = Memory(seconds=1e6)
    connector = Counting(every=0.001)
    pipeline, _ = drawing(stuck, connector)
    await run_for(pipeline, 100, drain_seconds=0)
    assert connector.said < 150
    assert all(fill["waiting"] <= fill["capacity"] for fill in pipeline.channel_fill().values())


async def test_a_connector_that_crashes_is_restarted_and_harms_nobody(autojump_clock: Any) -> None:
    """The other one misses nothing."""
    writer = Memory()
    crashing, steady = Counting("crashing", crash_at=5), Counting("steady")
    pipeline, _ = drawing(writer, crashing, steady)
    await run_for(pipeline, 30)
    assert writer.prices["steady"] == numbers(steady.said)
    assert writer.prices["crashing"] == numbers(crashing.said)
    assert crashing.said > 20
    restarts = {actor.name: actor.restarts for actor in pipeline.actors()}
    assert (restarts["connector:crashing"], restarts["connector:steady"]) == (1, 0)


async def test_a_stage_of_ours_that_keeps_crashing_ends_the_service(autojump_clock: Any) -> None:
    """One sentence says which and why, and whoever runs the service restarts it."""

    def bug() -> None:
        raise RuntimeError("a bug of ours")

    pipeline, _ = drawing(Memory(trouble=bug), Counting())
    with pytest.raises(ExceptionGroup) as caught:
        await pipeline.run()
    assert caught.group_contains(GaveUp, match="loader crashed 4 times in 30 s: RuntimeError: a bug of ours")


async def test_a_connector_that_was_taken_over_ends_alone(autojump_clock: Any) -> None:
    """The others go on."""
    writer, lost, kept = Memory(), Counting("lost"), Counting("kept")
    pipeline, _ = drawing(writer, lost, kept)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipeline.run)
        await trio.sleep(5.5)
        pipeline.crew.drop_nowait(["lost", "unknown"])
        await trio.sleep(20)
        pipeline.stop_nowait(10)
    assert len(writer.prices["lost"]) == 5
    assert len(writer.prices["kept"]) == 25


async def test_connectors_come_and_go_while_it_runs(autojump_clock: Any) -> None:
    """One that is added starts at once; one that is removed is drained; the others notice nothing."""
    writer, steady, leaving, coming = Memory(), Counting("steady"), Counting("leaving"), Counting("coming")
    pipeline, _ = drawing(writer, steady, leaving)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipeline.run)
        await trio.sleep(5.5)
        await pipeline.crew.remove("leaving", drain_seconds=10)
        assert writer.prices["leaving"] == numbers(leaving.said) == numbers(5)
        assert "connector:leaving" not in {actor.name for actor in pipeline.actors()}
        pipeline.crew.add_nowait("coming", coming)
        await trio.sleep(4.8)
        pipeline.stop_nowait(10)
        with pytest.raises(NotDrained):
            pipeline.crew.add_nowait("late", Counting("late"))
    assert (len(writer.prices["steady"]), len(writer.prices["coming"])) == (10, 4)


async def test_a_removal_says_when_it_cannot_drain(autojump_clock: Any) -> None:
    """What was read is not stored within the time: the caller is told, and it is stored later all the same."""
    writer, connector = Memory(seconds=60), Counting()
    pipeline, _ = drawing(writer, connector)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipeline.run)
        await trio.sleep(3.5)
        with pytest.raises(NotDrained):
            await pipeline.crew.remove("one", drain_seconds=5)
        pipeline.stop_nowait(600)
    assert writer.prices == {"one": numbers(3)}


async def test_what_no_connector_read_is_stored_and_its_event_is_known(autojump_clock: Any) -> None:
    """It takes the way of everything else; when the service stops or the database is away, the caller is told."""
    writer = Memory()
    pipeline, broadcaster = drawing(writer)
    with broadcaster.subscriber() as subscriber:
        subscriber.subscribe_nowait(None, EVERYTHING)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pipeline.run)
            await trio.sleep(1)
            event = await pipeline.side_door.store(transformed(items=1, connector_id="asked"), seconds=5)
            assert event is not None
            assert (event.offset, event.connector_id) == (1, "asked")
            writer.seconds = 60
            with pytest.raises(NotDrained):
                await pipeline.side_door.store(transformed(items=1, connector_id="asked"), seconds=5)
            pipeline.stop_nowait(600)
            await trio.lowlevel.checkpoint()
            with pytest.raises(NotDrained):
                await pipeline.side_door.store(transformed(connector_id="asked"), seconds=5)
        assert await everything(subscriber) == [b"1", b"2"]
