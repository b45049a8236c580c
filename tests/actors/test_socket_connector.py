"""A socket connector's life in virtual time: its handshake, its breaks, its replacements, what it says of itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as some
from trio.testing import MockClock

from etl_actors.actors.floodgate import Floodgate
from etl_actors.actors.socket_connector import SocketConnectorActor
from etl_actors.actors.socket_intake import Frame
from etl_actors.actors.socket_overlap import Overlap
from etl_actors.actors.socket_pace import FREE_CONNECTS, ConnectPace, MessageGate
from etl_actors.damage import Damage
from etl_actors.errors import PollFailed, StorageUnavailable
from etl_actors.ledger import Ledger
from etl_actors.messages import Checkpoint, Claim, Extracted
from etl_actors.settings import ConnectorSettings
from etl_actors.settings.decoding import convert
from etl_actors.settings.mistakes import connector_mistakes
from etl_actors.sources.backoff import Backoff
from etl_actors.transforms.documents import decode_document
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.symbols import SymbolTable

from .streams import Far, ScriptedStream, saying

START = datetime(2025, 12, 8, 16, 0, 0, tzinfo=UTC)
BEGAN = [0.0]


def clock() -> datetime:
    return START + timedelta(seconds=trio.current_time() - BEGAN[0])


async def claim(connector_id: str) -> Claim:
    return Claim(epoch=7, checkpoint=Checkpoint())


def settings(**changes: Any) -> ConnectorSettings:
    mistakes: list[Any] = []
    document = {"connector_id": "one", "url": "ws://x", "kind": "websocket", **changes}
    made = convert(document, ConnectorSettings, "", mistakes)
    assert made is not None, mistakes
    assert connector_mistakes(made) == []
    return made


async def read(body: bytes) -> tuple[Any, Damage | None]:
    """The document of a frame; nothing is mended here."""
    return decode_document(body, max_depth=50), None


def actor_of(source: ScriptedStream, **changes: Any) -> SocketConnectorActor:
    """An actor that waits for the longest that backoff allows."""
    options = changes.pop("options", {})
    connector = settings(**changes)
    defaults = {
        "read": read,
        "claim": claim,
        "backoff": Backoff(lambda low, high: high),
        "now": clock,
    }
    return SocketConnectorActor(connector, source, Mapping(connector, SymbolTable()), **defaults | options)


@asynccontextmanager
async def running(
    actor: SocketConnectorActor, *, capacity: float = 100_000
) -> AsyncIterator[Callable[[], list[Extracted]]]:
    """Runs it; yields a function that takes what it has sent so far."""
    BEGAN[0] = trio.current_time()
    send, receive = trio.open_memory_channel[Extracted](capacity)

    def taken() -> list[Extracted]:
        found = []
        while receive.statistics().current_buffer_used:
            found.append(receive.receive_nowait())
        return [one for one in found if one.kind != "notice"]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor.run, send)
        yield taken
        nursery.cancel_scope.cancel()


def documents(extracted: list[Extracted]) -> list[Any]:
    return [one.document for one in extracted]


async def test_frames_are_sent_on(autojump_clock: MockClock) -> None:
    """Each as it came, with its type, under our epoch."""
    source = ScriptedStream(saying({"e": "trade", "p": 1}, [1, 2], {"p": 2.50}))
    async with running(actor_of(source, message_type="e")) as taken:
        await trio.sleep(1)
        found = taken()
    assert [(one.kind, one.message_type, one.body, one.epoch) for one in found] == [
        ("frame", "trade", b'{"e": "trade", "p": 1}', 7),
        ("frame", None, b"[1, 2]", 7),
        ("frame", None, b'{"p": 2.5}', 7),
    ]


async def test_what_is_ignored_is_not_data(autojump_clock: MockClock) -> None:
    """Acknowledgements and signs of life, those that are no JSON too; they make nothing fresh."""
    source = ScriptedStream(saying({"result": None, "id": 1}, b"pong", {"c": "heartbeat"}, {"p": 1}))
    ignore = "@ == 'pong' || c == 'heartbeat' || contains(keys(@), 'result')"
    async with running(actor_of(source, ignore=ignore, stale_after_seconds=5)) as taken:
        await trio.sleep(1)
        assert documents(taken()) == [{"p": 1}]


async def test_garbage_is_kept_as_rejected_and_ends_nothing(autojump_clock: MockClock) -> None:
    """What is no JSON and what the provider calls an error goes on with its reason, and the stream with it."""
    garbage = [b"{", b"\xff\x00", b"", b'{"a":"\\u0000"}', b"[" * 100 + b"]" * 100]
    source = ScriptedStream(saying(*garbage, {"code": 2, "msg": "Invalid request"}, {"p": 1}))
    async with running(actor := actor_of(source, error="code", ignore="msg")) as taken:
        await trio.sleep(1)
        found = taken()
        assert len(source.sockets) == 1
        assert actor.statistics().state == "running"
        assert actor.statistics().last_error == "the provider reports an error: Invalid request (code 2)"
    assert [one.body for one in found[:5]] == garbage
    assert all(one.refusal for one in found[:-1])
    assert (found[-1].refusal, found[-1].document) == (None, {"p": 1})


async def test_the_handshake_runs_in_order_at_every_connection(autojump_clock: MockClock) -> None:
    """Each step waits for its answer; frames that come meanwhile are data, answers are not."""

    async def strict(far: Far) -> None:
        await far.say({"system": "online"})
        assert await far.hear() == "hello"
        assert await far.hear() == {"op": "a", "id": 1}
        await far.say({"p": 1}, {"ok": 1})
        assert await far.hear() == {"op": "b", "id": 2}
        await far.say({"ok": 2}, {"p": 2})

    steps = [
        {"expect": "system == 'online'"},
        {"send": "hello"},
        {"send": {"op": "a", "id": 1}, "expect": "ok == `1`"},
        {"send": {"op": "b", "id": 2}, "expect": "ok == `2`"},
    ]
    source = ScriptedStream(strict)
    async with running(actor_of(source, handshake=steps, items={"single": True, "price": "p"})) as taken:
        await trio.sleep(3)
        found = documents(taken())
    assert len(source.sockets) >= 2
    assert found[:4] == [{"p": 1}, {"p": 2}] * 2


async def test_an_answer_with_items_is_data_too(autojump_clock: MockClock) -> None:
    """A snapshot may be the answer that is waited for."""
    source = ScriptedStream(saying({"type": "snapshot", "data": [{"p": 1}]}))
    steps = [{"send": "x", "expect": "type == 'snapshot'"}]
    async with running(actor_of(source, handshake=steps, items={"each": "data", "price": "p"})) as taken:
        await trio.sleep(1)
        assert len(taken()) == 1


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            saying({"a": 1}),
            'handshake step 1: no frame satisfied `ok` within 10 s; the last one was {"a": 1}',
        ),
        (saying(), "handshake step 1: no frame satisfied `ok` within 10 s"),
        (
            saying({"code": 3, "msg": "Unknown stream"}),
            "handshake step 1 was refused: the provider reports an error: Unknown stream (code 3)",
        ),
        (saying(then=1), "the connection broke off (during handshake step 1)"),
    ],
)
async def test_a_handshake_without_its_answer_is_told(script: Any, reason: str, autojump_clock: MockClock) -> None:
    """In the status, with what the provider said; the connection is tried again."""
    source = ScriptedStream(script)
    async with running(actor := actor_of(source, handshake=[{"send": "x", "expect": "ok"}], error="code")):
        await trio.sleep(10.5)
        said = actor.statistics()
        assert (said.state, said.last_error) == ("failing", reason)
        assert said.consecutive_failures >= 1
        await trio.sleep(30)
        assert len(source.sockets) >= 2


async def test_a_long_subscription_goes_out_in_chunks_at_the_allowed_pace(autojump_clock: MockClock) -> None:
    """Each chunk is answered before the next, and no second has more messages than allowed."""

    async def answering(far: Far) -> None:
        while True:
            heard.append(await far.hear())
            await far.say({"ok": True})

    heard: list[Any] = []
    step = {
        "send": {"op": "sub", "args": {"s": list(range(25))}},
        "chunk": {"list": "args.s", "size": 2},
        "expect": "ok",
    }
    source = ScriptedStream(answering)
    async with running(actor := actor_of(source, handshake=[step])):
        await trio.sleep(10)
        assert actor.statistics().state == "running"
    assert heard == [{"op": "sub", "args": {"s": list(range(n, min(n + 2, 25)))}} for n in range(0, 25, 2)]
    times = source.sockets[0].said_at
    assert all(later - first > 1 for first, later in zip(times, times[5:], strict=False))


async def test_a_silent_stream_is_connected_anew(autojump_clock: MockClock) -> None:
    """The watchdog sees silence, however alive the connection is; a heartbeat that is ignored is no silence."""

    async def beating(far: Far) -> None:
        for _ in range(10):
            await far.say({"hb": 1})
            await trio.sleep(4)
        await trio.sleep_forever()

    source = ScriptedStream(beating)
    async with running(actor := actor_of(source, ignore="hb", heartbeat={"idle_timeout_seconds": 5})):
        await trio.sleep(40.5)
        assert len(source.sockets) == 1
        await trio.sleep(2)
        assert len(source.sockets) == 2
        assert actor.statistics().last_error == "no frame came for 5 s"


async def test_a_heartbeat_is_said(autojump_clock: MockClock) -> None:
    """Every so often what the provider wants to hear, or a ping of the protocol."""
    source = ScriptedStream(saying())
    beat = {"send": {"op": "ping"}, "every_seconds": 10, "idle_timeout_seconds": 100}
    async with running(actor_of(source, heartbeat=beat)):
        await trio.sleep(35)
        assert [await source.sockets[0].hear() for _ in range(3)] == [{"op": "ping"}] * 3
    pinging = ScriptedStream(saying())
    async with running(actor_of(pinging, heartbeat={"every_seconds": 10, "idle_timeout_seconds": 100})):
        await trio.sleep(35)
        assert pinging.sockets[0].pings == 3


async def test_a_stream_that_breaks_is_connected_again_soon(autojump_clock: MockClock) -> None:
    """Frames between the breaks reset the backoff, so each wait is a short one."""
    source = ScriptedStream(saying({"n": 1}, then=0.1))
    async with running(actor := actor_of(source)) as taken:
        await trio.sleep(10.8)
        assert len(source.sockets) == 10
        assert len(taken()) == 10
        said = actor.statistics()
        assert (said.consecutive_failures, said.frames, said.connections) == (1, 10, 10)


async def test_a_stream_that_only_fails_is_left_alone_longer_and_longer(autojump_clock: MockClock) -> None:
    """One second, two, four, up to a minute; opening without a frame is no success."""
    source = ScriptedStream(PollFailed("no"), saying(then=0))
    async with running(actor := actor_of(source)):
        await trio.sleep(130)
        assert actor.statistics().state == "failing"
    began = source.tried_at[0]
    assert [round(at - began) for at in source.tried_at] == [0, 1, 3, 7, 15, 31, 63, 123]


async def test_a_provider_that_asks_to_wait_is_waited_for(autojump_clock: MockClock) -> None:
    """As long as it says; the status tells."""
    source = ScriptedStream(PollFailed("HTTP 429", retry_after=77), saying({"n": 1}))
    async with running(actor := actor_of(source)):
        await trio.sleep(10)
        said = actor.statistics()
        assert said.retry_after_seconds == pytest.approx(67)
        assert said.next_poll == START + timedelta(seconds=77)
        await trio.sleep(60)
        assert len(source.tried_at) == 1
        await trio.sleep(10)
        assert actor.statistics().state == "running"


async def test_a_stream_that_flaps_is_not_connected_in_a_hurry_for_ever(autojump_clock: MockClock) -> None:
    """After so many connections they are spaced."""
    pace = ConnectPace()
    began = trio.current_time()
    for _ in range(FREE_CONNECTS):
        await pace.wait()
    assert trio.current_time() == began
    await pace.wait()
    assert trio.current_time() == began + 10
    await trio.sleep(600)
    began = trio.current_time()
    await pace.wait()
    assert trio.current_time() == began


async def test_messages_are_let_through_at_their_rate(autojump_clock: MockClock) -> None:
    """Slow ones too."""
    gate, times = MessageGate(0.5), []
    for _ in range(3):
        await gate.wait()
        times.append(trio.current_time())
    assert times[1] - times[0] >= 2
    assert times[2] - times[1] >= 2


def counting(first: int, last: int, every: float = 0.1, **say: Any) -> Callable[[Far], Any]:
    """The numbers of one feed, as every socket of it brings them: number ``n`` comes at ``n * every`` seconds."""

    async def script(far: Far) -> None:
        for n in range(max(first, int((trio.current_time() - BEGAN[0]) / every) + 1), last + 1):
            await trio.sleep_until(BEGAN[0] + n * every + say.get("late", 0))
            await far.say({"n": n, **say.get("beside", {})})
        await trio.sleep_forever()

    return script


@pytest.mark.parametrize("late", [0, 0.35, 7], ids=["alike", "the new one lags", "the new one lags far"])
@pytest.mark.parametrize("earlier", [0, 0.35, 7], ids=["alike", "the old one lags", "the old one lags far"])
async def test_an_old_socket_is_replaced_without_a_gap_or_a_copy(
    late: float, earlier: float, autojump_clock: MockClock
) -> None:
    """The new one opens before the old one closes; what both bring goes on once, in order."""
    source = ScriptedStream(counting(1, 10**6, late=earlier), counting(1, 10**6, late=late))
    async with running(actor := actor_of(source, max_age_seconds=20)) as taken:
        await trio.sleep(45)
        numbers = [one["n"] for one in documents(taken())]
        assert actor.statistics().copies > 0
        assert actor.statistics().state == "running"
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 370
    old, new, *_ = source.sockets
    assert old.closed_at is not None
    assert new.opened_at < old.closed_at


async def test_copies_are_known_by_their_key_where_bodies_differ(autojump_clock: MockClock) -> None:
    """Frames that carry something of their socket need a key of their own."""
    source = ScriptedStream(counting(1, 10**6, beside={"socket": 1}), counting(1, 10**6, beside={"socket": 2}))
    async with running(actor_of(source, max_age_seconds=20, duplicate_key="n")) as taken:
        await trio.sleep(35)
        numbers = [one["n"] for one in documents(taken())]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_what_is_said_twice_is_kept_twice(autojump_clock: MockClock) -> None:
    """While two sockets overlap, too."""

    async def twice(far: Far) -> None:
        for _ in range(10**6):
            await trio.sleep_until((trio.current_time() - BEGAN[0] + 0.5) // 1 + 0.5 + BEGAN[0])
            await far.say({"same": True}, {"same": True})
            await trio.sleep(0.1)

    source = ScriptedStream(twice)
    async with running(actor_of(source, max_age_seconds=10)) as taken:
        await trio.sleep(30)
        assert len(source.sockets) >= 2
        assert len(taken()) == 60


async def test_a_goodbye_brings_a_new_socket(autojump_clock: MockClock) -> None:
    """Before the old one is closed by its provider; the goodbye is no data."""

    async def leaving(far: Far) -> None:
        await far.say({"n": 1}, {"e": "serverShutdown"})
        await trio.sleep(1)

    source = ScriptedStream(leaving, saying({"n": 2}))
    async with running(actor := actor_of(source, reconnect_on="e == 'serverShutdown'")) as taken:
        await trio.sleep(10)
        assert documents(taken()) == [{"n": 1}, {"n": 2}]
        assert actor.statistics().last_error is None
    assert source.sockets[1].opened_at < source.sockets[0].opened_at + 1


async def test_a_socket_that_cannot_be_replaced_goes_on(autojump_clock: MockClock) -> None:
    """The failure is told, and another try made later."""
    source = ScriptedStream(counting(1, 10**6), PollFailed("full"), PollFailed("full"), counting(1, 10**6))
    async with running(actor := actor_of(source, max_age_seconds=20)) as taken:
        await trio.sleep(25)
        said = actor.statistics()
        assert (said.state, said.last_error) == ("running", "no new socket in place of the old one: full")
        await trio.sleep(30)
        numbers = [one["n"] for one in documents(taken())]
        assert len(source.sockets) == 2
    assert numbers == list(range(1, len(numbers) + 1))


async def test_an_old_socket_that_breaks_while_the_new_one_opens(autojump_clock: MockClock) -> None:
    """Nothing that the new one brought is lost; the stream did not break."""

    async def breaking(far: Far) -> None:
        for n in range(1, 11):
            await far.say({"n": n})
        await trio.sleep(20.5)

    async def following(far: Far) -> None:
        for n in range(8, 21):
            await far.say({"n": n})
        await trio.sleep_forever()

    source = ScriptedStream(breaking, following)
    async with running(actor := actor_of(source, max_age_seconds=20)) as taken:
        await trio.sleep(40)
        # The copies of old frames are those that came while the new socket was there; the rest are not looked for.
        assert [one["n"] for one in documents(taken())][-10:] == list(range(11, 21))
        assert actor.statistics().consecutive_failures == 0


async def test_a_trigger_brings_a_new_socket(autojump_clock: MockClock) -> None:
    """While one is open it is replaced; while it is waited for, it is connected now; while paused nothing happens."""
    source = ScriptedStream(saying({"n": 1}), saying({"n": 2}), PollFailed("no", retry_after=500), saying({"n": 3}))
    async with running(actor := actor_of(source)):
        await trio.sleep(1)
        actor.trigger_nowait()
        await trio.sleep(5)
        assert len(source.sockets) == 2
        source.sockets[1].end()
        await trio.sleep(50)
        assert len(source.tried_at) == 3
        actor.trigger_nowait()
        await trio.sleep(1)
        assert len(source.tried_at) == 4
        actor.pause_nowait()
        await trio.sleep(1)
        actor.trigger_nowait()
        await trio.sleep(50)
        assert len(source.tried_at) == 4


async def test_a_pause_closes_the_socket(autojump_clock: MockClock) -> None:
    """And a resume opens one at once."""
    source = ScriptedStream(counting(1, 10**6))
    async with running(actor := actor_of(source)) as taken:
        await trio.sleep(4.95)
        actor.pause_nowait()
        assert (actor.paused, actor.statistics().state) == (True, "paused")
        await trio.sleep(5)
        assert source.sockets[0].closed_at is not None
        before = len(taken())
        await trio.sleep(50)
        assert taken() == []
        assert before == 49
        actor.resume_nowait()
        await trio.sleep(1)
        assert len(taken()) > 0
        assert actor.statistics().state == "running"


async def test_a_pause_while_two_sockets_overlap_closes_both(autojump_clock: MockClock) -> None:
    """Whatever each of them is doing."""
    source = ScriptedStream(counting(1, 10**6))
    async with running(actor := actor_of(source, max_age_seconds=10)):
        await trio.sleep(11)
        assert len(source.sockets) == 2
        actor.pause_nowait()
        await trio.sleep(1)
        assert all(socket.closed_at is not None for socket in source.sockets)


async def test_what_the_new_socket_has_read_is_handed_on_when_the_connector_ends(autojump_clock: MockClock) -> None:
    """It waits for the old one to bring it, which does not come to that any more."""
    source = ScriptedStream(saying({"n": 1}, {"n": 2}), saying({"n": 3}, {"n": 4}))
    send, receive = trio.open_memory_channel[Extracted](100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor_of(source, max_age_seconds=10, overlap_seconds=5).run, send)
        await trio.sleep(12)
        assert len(source.sockets) == 2
        nursery.cancel_scope.cancel()
    found = [receive.receive_nowait() for _ in range(receive.statistics().current_buffer_used)]
    assert [one.document["n"] for one in found if one.kind == "frame"] == [1, 2, 3, 4]


async def test_a_slow_pipeline_stops_the_reading(autojump_clock: MockClock) -> None:
    """No more frames are taken than fit, silence is not suspected, and none is lost."""
    source = ScriptedStream(saying(*({"n": n} for n in range(50))))
    actor = actor_of(source, heartbeat={"idle_timeout_seconds": 5})
    send, receive = trio.open_memory_channel[Extracted](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor.run, send)
        await trio.sleep(60)
        assert len(source.sockets) == 1
        assert len(source.sockets[0].taken) == 1
        assert [(await receive.receive()).document["n"] for _ in range(50)] == list(range(50))
        nursery.cancel_scope.cancel()


async def test_a_frame_in_hand_is_handed_on_when_the_connector_ends(autojump_clock: MockClock) -> None:
    """What was taken from the socket is accepted, while the next room runs dry."""
    source, ledger = ScriptedStream(saying({"n": 1}, {"n": 2}, {"n": 3})), Ledger()
    actor = actor_of(source, options={"ledger": ledger})
    send, receive = trio.open_memory_channel[Extracted](1)
    found: list[int] = []

    async def drain() -> None:
        await trio.sleep(12)
        found.extend([extracted.document["n"] async for extracted in receive])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drain)
        with trio.move_on_after(10):
            await actor.run(send)
    taken = [json.loads(frame)["n"] for frame in source.sockets[0].taken]
    assert found == taken == [1, 2]
    assert ledger.under_way("one") == 2


async def test_the_claim_is_waited_for(autojump_clock: MockClock) -> None:
    """Nothing is connected before the connector is ours."""
    refusals = [StorageUnavailable("away"), StorageUnavailable("away")]

    async def claiming(connector_id: str) -> Claim:
        if refusals:
            raise refusals.pop()
        return await claim(connector_id)

    source = ScriptedStream(saying({"n": 1}))
    async with running(actor := actor_of(source, options={"claim": claiming})) as taken:
        await trio.sleep(0.5)
        assert (actor.statistics().state, source.tried_at) == ("failing", [])
        await trio.sleep(5)
        assert len(taken()) == 1


async def test_staleness_counts_from_the_last_frame(autojump_clock: MockClock) -> None:
    """A socket that is open and brings nothing is stale."""
    source = ScriptedStream(saying({"n": 1}))
    async with running(actor := actor_of(source, stale_after_seconds=10)):
        await trio.sleep(9)
        said = actor.statistics()
        assert (said.stale, said.last_success, said.connected_since) == (False, START, START)
        await trio.sleep(2)
        assert actor.statistics().stale
    assert actor.statistics().state == "stopped"


@given(some.lists(some.integers(0, 5), max_size=30), some.integers(0, 30), some.integers(0, 30))
def test_an_overlap_keeps_exactly_what_the_old_socket_did_not_bring(feed: list[int], joined: int, cut: int) -> None:
    """Whatever the feed repeats: the old one's part and the rest of the new one's are the feed from then on."""
    rules = Mapping(settings(), SymbolTable()).frames
    overlap = Overlap(rules)
    joined, cut = min(joined, len(feed)), min(cut, len(feed))
    frames = [Frame(body=str(n).encode(), received_at=START, document=n) for n in feed]
    for frame in frames[joined:cut]:
        overlap.note(frame)
    for frame in frames[joined:]:
        overlap.hold(frame)
    kept = []
    while (frame := overlap.release()) is not None:
        if not overlap.is_copy(frame):
            kept.append(frame)
    assert kept == frames[max(joined, cut) :]


async def test_the_socket_is_closed_while_there_is_no_room_and_the_gap_is_told(autojump_clock: MockClock) -> None:
    """The frame in its hand waits for room, but not the provider."""
    gate, source = Floodgate(), ScriptedStream(saying(1, 2, 3), saying(4))
    actor = actor_of(source, options={"floodgate": gate})
    send, receive = trio.open_memory_channel[Extracted](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor.run, send)
        heard = [await receive.receive()]
        await trio.sleep(1)
        gate.close_nowait("the spool is full")
        await trio.sleep(100)
        assert source.sockets[0].hung_up_at == 1
        assert len(source.sockets) == 1
        assert actor.statistics().state == "paused"
        gate.open_nowait()
        with trio.move_on_after(10):
            while True:
                heard.append(await receive.receive())
        nursery.cancel_scope.cancel()
    told = [one for one in heard if one.message_type != "connector_status"]
    assert [one.document if one.kind == "frame" else one.message_type for one in told] == [1, 2, "gap", 4]
    assert json.loads(told[2].body) == {"key": "", "from": None, "to": None}
