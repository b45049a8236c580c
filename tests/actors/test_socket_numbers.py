"""The numbers of a stream in virtual time: gaps before the frames behind them, books beside the frames."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import MockClock

from etl_actors.actors.socket_connector import SocketConnectorActor
from etl_actors.actors.socket_sequence import Numbers
from etl_actors.messages import Checkpoint, Claim, Extracted
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.market import Market
from etl_actors.transforms.sequence import SequenceCheck
from etl_actors.transforms.symbols import SymbolTable

from .streams import ScriptedStream, saying
from .test_order_books import Snapshots, books_of, change, decode
from .test_socket_connector import actor_of, settings

NUMBERED = {"key": "s", "first": "t"}
DEPTH = {
    "key": "data.s",
    "first": "data.U",
    "last": "data.u",
    "on_gap": "resync",
    "bids": "data.b",
    "asks": "data.a",
    "snapshot": {"url": "https://x/{key}"},
}


def trade(number: int, key: str = "A") -> dict[str, Any]:
    """A frame with one number."""
    return {"s": key, "t": number}


def check_of(sequence: Any) -> SequenceCheck:
    """The check of a stream with this sequence."""
    connector = settings(sequence=sequence)
    reading = Mapping(connector, SymbolTable()).sequence
    assert reading is not None
    assert connector.sequence is not None
    return SequenceCheck(reading, per_connection=connector.sequence.per_connection)


def numbered(source: ScriptedStream, sequence: Any = NUMBERED, **options: Any) -> SocketConnectorActor:
    """An actor whose frames are numbered."""
    extra = options.pop("settings", {})
    return actor_of(
        source,
        sequence=sequence,
        options={"numbers": Numbers(check_of(sequence), options.pop("books", None))} | options,
        **extra,
    )


@asynccontextmanager
async def hearing(actor: SocketConnectorActor) -> AsyncIterator[Callable[[], list[Extracted]]]:
    """Runs it; yields a function that takes everything it has sent so far, notices too."""
    send, receive = trio.open_memory_channel[Extracted](10_000)

    def taken() -> list[Extracted]:
        return [receive.receive_nowait() for _ in range(receive.statistics().current_buffer_used)]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor.run, send)
        yield taken
        nursery.cancel_scope.cancel()


def told(extracted: list[Extracted]) -> list[Any]:
    """Frames as they are, gaps and states by what they say."""
    return [one.document if one.kind == "frame" else (one.message_type, json.loads(one.body)) for one in extracted]


async def test_a_gap_is_told_before_the_frame_behind_it(autojump_clock: MockClock) -> None:
    """Per key; under the epoch of the connector."""
    source = ScriptedStream(saying(trade(1), trade(5, "B"), trade(2), trade(5), trade(6, "B"), {"pong": 1}, trade(6)))
    async with hearing(numbered(source)) as taken:
        await trio.sleep(1)
        found = taken()
    gap = ("gap", {"key": "A", "from": 3, "to": 4})
    assert told(found) == [
        *(trade(1), trade(5, "B"), trade(2)),
        *(gap, trade(5), trade(6, "B"), {"pong": 1}, trade(6)),
    ]
    assert {one.epoch for one in found} == {7}


async def test_what_a_break_cost_is_a_gap_and_a_planned_replacement_costs_nothing(autojump_clock: MockClock) -> None:
    """The check outlives its sockets; the copies of an overlap are none of its business."""
    broken = ScriptedStream(saying(trade(1), trade(2), then=1.0), saying(trade(9)))
    async with hearing(numbered(broken)) as taken:
        await trio.sleep(10)
        found = told(taken())
    assert ("gap", {"key": "A", "from": 3, "to": 8}) in found

    async def flowing(far: Any) -> None:
        while True:
            number = int(trio.current_time() * 10) + 1
            await far.say(trade(number))
            await trio.sleep(number / 10 - trio.current_time() + 0.001)

    planned = numbered(ScriptedStream(flowing), settings={"max_age_seconds": 10, "overlap_seconds": 1})
    async with hearing(planned) as taken:
        await trio.sleep(35)
        found = told(taken())
    assert planned.statistics().connections >= 3
    assert [one for one in found if isinstance(one, tuple)] == []


async def test_a_provider_that_counts_per_connection_has_no_gap_at_a_new_socket(autojump_clock: MockClock) -> None:
    """Each socket begins at 0; within one a gap is a gap, and a planned replacement is none."""
    sequence = {"first": "n", "per_connection": True}
    frames = [{"n": 0}, {"n": 1}, {"n": 2}]
    source = ScriptedStream(saying(*frames, then=1.0), saying(*frames, {"n": 4}))
    async with hearing(numbered(source, sequence)) as taken:
        await trio.sleep(10)
        found = taken()
    assert [said for said in told(found) if isinstance(said, tuple) and said[0] == "gap"] == [
        ("gap", {"key": "", "from": 3, "to": 3})
    ]
    assert all(one.checkpoint.cursor == {"sequence": None} for one in found if one.kind == "frame")

    async def flowing(far: Any) -> None:
        for number in range(1000):
            await far.say({"n": number, "socket": id(far)})
            await trio.sleep(0.1)

    planned = numbered(
        ScriptedStream(flowing), sequence, settings={"max_age_seconds": 10, "overlap_seconds": 1, "duplicate_key": "@"}
    )
    async with hearing(planned) as taken:
        await trio.sleep(60)
        found = taken()
    assert planned.statistics().connections >= 3
    assert len({one.document["socket"] for one in found if one.kind == "frame"}) >= 2
    assert [said for said in told(found) if isinstance(said, tuple)] == []


async def test_how_far_it_came_is_committed_and_continued(autojump_clock: MockClock) -> None:
    """With each frame; the next life tells what was missed, unless it counts otherwise by now."""
    frames = (trade(1), trade(5, "B"), trade(2), b"{", {"pong": 1})
    async with hearing(numbered(ScriptedStream(saying(*frames)))) as taken:
        await trio.sleep(1)
        found = taken()
    assert [one.checkpoint.cursor for one in found] == [
        {"sequence": {"A": 1}},
        {"sequence": {"A": 1, "B": 5}},
        *[{"sequence": {"A": 2, "B": 5}}] * 3,
    ]

    async def claim(connector_id: str, kept: Checkpoint = found[-1].checkpoint) -> Claim:
        return Claim(epoch=8, checkpoint=kept)

    async def foreign(connector_id: str) -> Claim:
        return Claim(epoch=8, checkpoint=Checkpoint(fingerprint=b"other", cursor={"sequence": {"A": 2}}))

    for claiming, expected in ((claim, [("gap", {"key": "A", "from": 3, "to": 6})]), (foreign, [])):
        async with hearing(numbered(ScriptedStream(saying(trade(7))), claim=claiming)) as taken:
            await trio.sleep(1)
            assert told(taken()) == [*expected, trade(7)]


async def test_a_stop_while_a_gap_is_told_loses_neither_it_nor_the_frame(autojump_clock: MockClock) -> None:
    """The next room takes both within the grace."""
    actor = numbered(ScriptedStream(saying(trade(1), trade(3))))
    send, receive = trio.open_memory_channel[Extracted](0)
    stop = trio.CancelScope()

    async def run() -> None:
        with stop:
            await actor.run(send)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        found = [await receive.receive()]
        await trio.sleep(5)
        stop.cancel()
        await trio.sleep(0.5)
        found += [message async for message in receive]
    assert told(found) == [trade(1), ("gap", {"key": "A", "from": 2, "to": 2}), trade(3)]
    receive.close()


async def test_the_mapping_sees_the_book_and_the_frame_is_stored_as_it_came(autojump_clock: MockClock) -> None:
    """Behind a gap nothing is shown until the snapshot is there."""

    async def script(far: Any) -> None:
        for first in (2, 3, 5, 6):
            await far.say(change(first, first, str(first)))
            await trio.sleep(1)
        await trio.sleep(100)

    snapshots = Snapshots(X=[1, 5])
    connector = settings(sequence=DEPTH)
    mapping = Mapping(connector, SymbolTable())
    assert connector.sequence is not None
    assert mapping.sequence is not None
    books = books_of(snapshots)
    books._market = Market(connector.sequence, mapping.sequence, decode)
    async with hearing(numbered(ScriptedStream(script), DEPTH, books=books)) as taken:
        await trio.sleep(10)
        found = taken()
    frames = [one for one in found if one.kind == "frame"]
    assert [one.document["book"] and one.document["book"]["last"] for one in frames] == [None, 3, None, 6]
    assert [json.loads(one.body) for one in frames] == [change(first, first, str(first)) for first in (2, 3, 5, 6)]
    assert [said for said in told(found) if isinstance(said, tuple)] == [("gap", {"key": "X", "from": 4, "to": 4})]
    assert len(snapshots.asked) == 2


async def test_a_stream_says_when_it_breaks_and_when_it_flows_again(autojump_clock: MockClock) -> None:
    """And when nothing comes over an open socket, and when it is paused; only a frame makes it fresh."""
    actor = actor_of(ScriptedStream(saying({"p": 1}, then=40.0), saying({"p": 2})), stale_after_seconds=30)
    async with hearing(actor) as taken:
        await trio.sleep(100)
        actor.pause_nowait()
        await trio.sleep(5)
        actor.resume_nowait()
        await trio.sleep(5)
        found = taken()
    states = [(said[1]["state"], said[1]["stale"]) for said in told(found) if isinstance(said, tuple)]
    assert states == [
        ("running", True),
        ("failing", True),
        ("running", True),
        ("running", False),
        ("running", True),
        ("paused", True),
        ("running", True),
        ("running", False),
    ]
    assert all(one.checkpoint.cursor is None for one in found)
