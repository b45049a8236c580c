"""Everybody gets what they asked for, in order; who reads too slowly is let go and nobody else notices."""

from __future__ import annotations

import json
from collections.abc import Sequence
from time import monotonic
from typing import Any

import trio
import trio.testing
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from etl_actors.actors.broadcaster import SLICE_BYTES, Broadcaster
from etl_actors.actors.subscriber import Subscriber
from etl_actors.filtering import EVERYTHING, Filter
from etl_actors.messages import Event, Loaded

from .events import event, items_of, prices
from .history import History, broadcaster


async def read(subscriber: Subscriber, heard: list[Any]) -> None:
    """Everything that arrives until the end, decoded."""
    while (frame := await subscriber.receive()) is not None:
        heard.append(json.loads(frame.text))


def offsets(heard: list[Any]) -> list[int]:
    """Those of events."""
    return [one["offset"] for one in heard if "id" in one and "offset" in one]


async def test_every_subscriber_gets_every_event_in_order(autojump_clock: Any) -> None:
    """From the moment it subscribed until the end."""
    live = broadcaster()
    send, receive = trio.open_memory_channel[Loaded](10)
    heard: tuple[list[Any], list[Any]] = ([], [])
    with live.subscriber() as first, live.subscriber() as second:
        first.subscribe_nowait(None, EVERYTHING)
        second.subscribe_nowait("named", EVERYTHING)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(live.run, receive)
            nursery.start_soon(read, first, heard[0])
            nursery.start_soon(read, second, heard[1])
            await send.send(Loaded(events=(event(1), event(2))))
            await send.send(Loaded(events=(event(3),)))
            await trio.testing.wait_all_tasks_blocked()
            await send.aclose()
            live.close_nowait()
    assert [offsets(one) for one in heard] == [[1, 2, 3], [1, 2, 3]]
    assert heard[0] == [json.loads(event(offset).encoded) for offset in (1, 2, 3)]
    assert [one["subs"] for one in heard[1]] == [["named"]] * 3
    assert live.head == 3


async def test_every_event_that_left_is_timed(autojump_clock: Any) -> None:
    """Also when nobody listens, when it is so large that it leaves alone, and not again when it is published twice."""

    class Timer:
        def __init__(self) -> None:
            self.told: list[tuple[list[int], float]] = []

        def handed_out(self, events: Sequence[Event], seconds: float) -> None:
            self.told.append(([one.offset for one in events], seconds))

    timer = Timer()
    live = broadcaster(timer=timer)
    send, receive = trio.open_memory_channel[Loaded](10)
    large = replace(event(2), encoded=b"x" * SLICE_BYTES)
    await send.send(Loaded(events=(event(1), large, event(3)), at=monotonic() - 5))
    await send.send(Loaded(events=(event(3), event(4))))
    await send.aclose()
    await live.run(receive)
    assert [events for events, _ in timer.told] == [[1, 2], [3], [4]]
    assert [seconds >= 5 for _, seconds in timer.told] == [True, True, False]
    assert live.statistics().events == 4


async def test_what_waits_is_told_for_all_and_for_the_fullest(autojump_clock: Any) -> None:
    """And what is kept for those who come back."""
    live = broadcaster(recent_bytes=1_000_000)
    with live.subscriber() as one, live.subscriber() as other:
        one.subscribe_nowait(None, EVERYTHING)
        other.subscribe_nowait(None, EVERYTHING)
        live.publish_nowait(event(1))
        await one.receive()
        live.publish_nowait(event(2))
        told = live.statistics()
        assert told.fullest_bytes == other.waiting_bytes == 2 * one.waiting_bytes
        assert told.waiting_bytes == 3 * one.waiting_bytes
        assert told.recent_bytes > 2 * len(event(1).encoded)


async def test_a_subscriber_that_reads_too_slowly_is_let_go(autojump_clock: Any) -> None:
    """Its memory is bounded, it is closed with 1013, and the other one gets everything."""
    live = broadcaster(buffer_bytes=1_000)
    heard: list[Any] = []
    with live.subscriber() as slow, live.subscriber() as quick:
        slow.subscribe_nowait(None, EVERYTHING)
        quick.subscribe_nowait(None, EVERYTHING)
        for offset in range(1, 21):
            live.publish_nowait(event(offset))
            frame = await quick.receive()
            assert frame is not None
            heard.append(json.loads(frame.text))
        assert offsets(heard) == list(range(1, 21))
        assert slow.closing is not None
        assert slow.closing.code == 1013
        assert slow.waiting_bytes == 0
        assert await slow.receive() is None
        slow.subscribe_nowait("again", EVERYTHING)
        live.publish_nowait(event(21))
        assert slow.waiting_bytes == 0
    assert live.statistics().too_slow == 1
    assert live.statistics().subscribers == 0


async def test_an_event_that_several_subscriptions_want_comes_once(autojump_clock: Any) -> None:
    """With the symbols of all, and the names of all."""
    live = broadcaster()
    heard: list[Any] = []
    with live.subscriber() as subscriber:
        subscriber.subscribe_nowait("btc", Filter(symbols=frozenset({"BTC"})))
        subscriber.subscribe_nowait(2, Filter(symbols=frozenset({"SOL", "BTC"}), types=frozenset({"price_update"})))
        live.publish_nowait(prices(1, dict.fromkeys(("ADA", "SOL", "ETH", "BTC"), "")))
        live.publish_nowait(prices(2, {"SOL": ""}))
        live.publish_nowait(prices(3, {"ETH": ""}))
        live.publish_nowait(event(4))
        assert subscriber.unsubscribe_nowait("2")
        assert not subscriber.unsubscribe_nowait("2")
        live.publish_nowait(prices(5, dict.fromkeys(("SOL", "BTC"), "")))
        live.close_nowait()
        await read(subscriber, heard)
    assert [(one["offset"], items_of(one), one["subs"]) for one in heard] == [
        (1, ["SOL", "BTC"], ["btc", 2]),
        (2, ["SOL"], [2]),
        (5, ["BTC"], ["btc"]),
    ]


async def test_the_first_named_subscription_ends_the_stream_of_everything(autojump_clock: Any) -> None:
    """And with none left there is silence: no event, and no position."""
    live = broadcaster()
    heard: list[Any] = []
    with live.subscriber() as subscriber:
        subscriber.subscribe_nowait(None, EVERYTHING)
        live.publish_nowait(event(1))
        subscriber.subscribe_nowait("one", Filter(connectors=frozenset({"none"})))
        live.publish_nowait(event(2))
        subscriber.tell_position_nowait()
        subscriber.unsubscribe_nowait("one")
        live.publish_nowait(event(3))
        subscriber.tell_position_nowait()
        live.close_nowait()
        await read(subscriber, heard)
    assert heard == [json.loads(event(1).encoded), {"type": "position", "offset": 2}]


async def test_what_is_announced_reaches_everybody_and_says_how_many(autojump_clock: Any) -> None:
    """What ``POST /ws/test`` answers; whatever somebody subscribed to."""
    live = broadcaster()
    assert live.announce_nowait(b"{}") == 0
    with live.subscriber() as silent, live.subscriber() as other:
        other.subscribe_nowait("none", Filter(types=frozenset({"none"})))
        assert live.announce_nowait(b"{}") == 2
        assert [await one.receive() is not None for one in (silent, other)] == [True, True]
    assert live.statistics().subscribers == 0


async def test_a_subscriber_that_resumes_gets_history_and_then_what_is_live(autojump_clock: Any) -> None:
    """From a log that goes on being written, in pages that wait for their reader, to the live events: each once."""
    history = History([event(offset) for offset in range(1, 3_001)])
    live = broadcaster(history=history, head=3_000, buffer_bytes=20_000)
    heard: list[Any] = []
    highest = 0
    with live.subscriber() as subscriber:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscriber.follow)
            subscriber.subscribe_nowait("all", EVERYTHING, since=100)
            for offset in range(3_001, 4_001):
                history.events.append(event(offset))
                live.publish_nowait(event(offset))
                for _ in range(4):
                    await trio.testing.wait_all_tasks_blocked()
                    highest = max(highest, subscriber.waiting_bytes)
                    if subscriber.waiting_bytes:
                        frame = await subscriber.receive()
                        assert frame is not None
                        heard.append(json.loads(frame.text))
            live.close_nowait()
            await read(subscriber, heard)
            nursery.cancel_scope.cancel()
    assert offsets(heard) == list(range(101, 4_001))
    assert highest <= 20_000 + len(event(4_000).encoded) + 20


async def test_going_further_back_in_the_middle_of_a_page(autojump_clock: Any) -> None:
    """While a page waits for its reader, another subscription asks for more: nothing is skipped, nor comes twice."""
    history = History([event(offset) for offset in range(1, 301)])
    live = broadcaster(history=history, head=300, buffer_bytes=4_000)
    heard: list[Any] = []
    with live.subscriber() as subscriber:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscriber.follow)
            subscriber.subscribe_nowait("a", EVERYTHING, since=200)
            await trio.testing.wait_all_tasks_blocked()
            subscriber.subscribe_nowait("b", EVERYTHING, since=50)
            nursery.start_soon(read, subscriber, heard)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert all(one["type"] == "connector_status" for one in heard)
    assert [one["offset"] for one in heard if "a" in one["subs"]] == list(range(201, 301))
    assert [one["offset"] for one in heard if "b" in one["subs"]] == list(range(51, 301))


async def test_going_further_back_while_an_empty_page_is_read(autojump_clock: Any) -> None:
    """That nothing is left behind one place says nothing of what is behind an earlier one."""
    history = History([event(offset) for offset in range(1, 4)])
    live = broadcaster(history=history, head=10)
    heard: list[Any] = []
    with live.subscriber() as subscriber:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscriber.follow)
            subscriber.subscribe_nowait("a", EVERYTHING, since=5)
            while not history.pages:
                await trio.lowlevel.checkpoint()
                if not history.pages and subscriber.is_behind:
                    subscriber.subscribe_nowait("b", EVERYTHING, since=0)
            nursery.start_soon(read, subscriber, heard)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert [(one["offset"], one["subs"]) for one in heard if "id" in one] == [(1, ["b"]), (2, ["b"]), (3, ["b"])]


async def test_what_was_published_when_it_crashed_leaves_with_the_next_start(autojump_clock: Any) -> None:
    """Between publishing and writing lies a turn of the loop."""
    live = broadcaster()
    send, receive = trio.open_memory_channel[Loaded](1)
    heard: list[Any] = []
    with live.subscriber() as subscriber:
        subscriber.subscribe_nowait(None, EVERYTHING)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, subscriber, heard)
            with trio.CancelScope() as incarnation:
                async with trio.open_nursery() as first:
                    first.start_soon(live.run, receive.clone())
                    await trio.testing.wait_all_tasks_blocked()
                    send.send_nowait(Loaded(events=(event(1),)))
                    incarnation.cancel()
            assert heard == []
            nursery.start_soon(live.run, receive)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert offsets(heard) == [1]


async def test_the_end_does_not_wait_for_a_replay(autojump_clock: Any) -> None:
    """What was read already runs dry; no further page is asked for."""
    history = History([event(offset) for offset in range(1, 20_001)])
    live = broadcaster(history=history, head=20_000, buffer_bytes=20_000)
    heard: list[Any] = []
    with live.subscriber() as subscriber:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscriber.follow)
            subscriber.subscribe_nowait("all", EVERYTHING, since=0)
            await trio.testing.wait_all_tasks_blocked()
            live.close_nowait()
            await read(subscriber, heard)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert 0 < len(heard) < 300
    assert history.pages == 1


async def test_an_outage_only_makes_a_replay_wait(autojump_clock: Any) -> None:
    """It goes on where it was; nobody else notices."""
    history = History([event(offset) for offset in range(1, 11)])
    live = broadcaster(history=history, head=10)
    heard: list[Any] = []
    with live.subscriber() as subscriber:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscriber.follow)
            nursery.start_soon(read, subscriber, heard)
            history.away = True
            subscriber.subscribe_nowait("all", EVERYTHING, since=0)
            await trio.sleep(30)
            assert heard == []
            history.away = False
            await trio.sleep(2)
            nursery.cancel_scope.cancel()
    assert offsets(heard) == list(range(1, 11))


async def test_what_retention_took_during_a_replay_is_said(autojump_clock: Any) -> None:
    """A hole in the log is told as dropped, before what follows it."""
    history = History([event(offset) for offset in (1, 2, 6, 7)])
    live = broadcaster(history=history, head=9)
    heard: list[Any] = []
    with live.subscriber() as subscriber:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscriber.follow)
            nursery.start_soon(read, subscriber, heard)
            subscriber.subscribe_nowait("all", EVERYTHING, since=0)
            await trio.testing.wait_all_tasks_blocked()
            live.publish_nowait(event(10))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert [one["data"] if one["type"] == "dropped" else one["offset"] for one in heard] == [
        1, 2, {"count": 3, "from_offset": 3, "to_offset": 5}, 6, 7, 10,
    ]  # fmt: skip


async def test_an_offset_that_was_not_published_is_read_from_the_log(autojump_clock: Any) -> None:
    """Another process wrote it, or a crash came between: nobody misses it, and the order holds."""
    history = History([event(offset) for offset in range(1, 7)])
    live = broadcaster(history=history, head=2, recent_bytes=100_000)
    heard: list[Any] = []
    with live.subscriber() as subscriber:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscriber.follow)
            nursery.start_soon(read, subscriber, heard)
            subscriber.subscribe_nowait("all", EVERYTHING)
            for offset in (3, 6):
                live.publish_nowait(event(offset))
                await trio.testing.wait_all_tasks_blocked()
            history.events.append(event(7))
            live.publish_nowait(event(7))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert offsets(heard) == [3, 4, 5, 6, 7]


async def test_it_says_how_far_back_one_can_resume(autojump_clock: Any) -> None:
    """From the oldest that is left; not of another history, and not from what has not happened yet."""
    history = History([event(offset) for offset in range(1, 11)])
    history.oldest = 5
    live = broadcaster(history=history, head=10)
    found = [(await live.reach(since, stream)) for since, stream in ((4, None), (4, live.stream), (10, None))]
    assert [(one.recovered, one.since) for one in found] == [(True, 4), (True, 4), (True, 10)]
    found = [(await live.reach(since, stream)) for since, stream in ((3, None), (11, None), (7, "other"))]
    assert [(one.recovered, one.since, one.oldest) for one in found] == [
        (False, 4, 5),
        (False, None, 5),
        (False, None, 5),
    ]


async def test_who_comes_back_after_a_moment_does_not_cost_the_database_anything(autojump_clock: Any) -> None:
    """What was published last is at hand."""
    history = History()
    history.away = True
    live = broadcaster(history=history, recent_bytes=1_000_000)
    heard: list[Any] = []
    for offset in range(1, 11):
        live.publish_nowait(event(offset))
    assert (await live.reach(3, None)).recovered
    with live.subscriber() as subscriber:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscriber.follow)
            nursery.start_soon(read, subscriber, heard)
            subscriber.subscribe_nowait("all", EVERYTHING, since=3)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert offsets(heard) == list(range(4, 11))


async def test_batches_leave_together_after_their_interval(autojump_clock: Any) -> None:
    """Several waiting events in one frame; a reply does not wait for them."""
    live = broadcaster()
    frames: list[tuple[float, Any]] = []

    async def listen(subscriber: Subscriber) -> None:
        while (frame := await subscriber.receive()) is not None:
            frames.append((round(trio.current_time() - started, 3), json.loads(frame.text)))

    with live.subscriber() as subscriber:
        subscriber.subscribe_nowait("all", EVERYTHING)
        subscriber.deliver_so(batch=True, interval_ms=500)
        started = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, subscriber)
            for offset in range(1, 11):
                live.publish_nowait(event(offset))
                await trio.sleep(0.1)
            await trio.sleep(1)
            subscriber.reply_nowait(b'{"type":"pong"}')
            live.publish_nowait(event(11))
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
    assert [(at, frame["type"]) for at, frame in frames] == [
        (0.0, "connector_status"), (0.5, "batch"), (1.0, "batch"), (2.0, "pong"), (2.5, "connector_status"),
    ]  # fmt: skip
    batches = [one for _, frame in frames if frame["type"] == "batch" for one in frame["events"]]
    assert offsets(batches) == list(range(2, 11))


WISHES = st.tuples(
    st.sampled_from((EVERYTHING, Filter(symbols=frozenset({"BTC"})), Filter(connectors=frozenset({"two"})))),
    st.none() | st.integers(min_value=0, max_value=60),
)
STEPS = st.lists(st.one_of(st.sampled_from(("commit", "publish", "publish", "run", "settle")), WISHES), max_size=80)


@settings(deadline=None)
@given(STEPS, st.sampled_from((0, 3_000)))
@example(["commit", "commit", "publish", (EVERYTHING, 0), "settle", "publish"], 0)  # the log is ahead of what is live
def test_history_and_live_join_without_a_seam(steps: list[Any], recent_bytes: int) -> None:
    """However commits, publishing, pages and subscriptions interleave: each subscription gets what it asked for from
    where it asked, once and in order, and what two want comes once after both are there."""
    trio.run(_interleave, steps, recent_bytes)


async def _interleave(steps: list[Any], recent_bytes: int) -> None:
    history = History()
    live = broadcaster(history=history, recent_bytes=recent_bytes)
    heard: list[Any] = []
    begun: list[tuple[Filter, int]] = []
    published = last = 0
    with live.subscriber() as subscriber:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscriber.follow)
            nursery.start_soon(read, subscriber, heard)
            for step in [*steps, "finish"]:
                if step == "commit" or (step == "publish" and published == len(history.events)):
                    offset = len(history.events) + 1
                    symbols = ("BTC", "ETH")[: 1 + offset % 2]
                    connector = ("one", "two")[offset % 3 == 0]
                    history.events.append(prices(offset, dict.fromkeys(symbols, ""), connector=connector))
                if step == "publish":
                    live.publish_nowait(history.events[published])
                    published += 1
                elif step == "run":
                    await trio.lowlevel.checkpoint()
                elif step == "settle":
                    await trio.testing.wait_all_tasks_blocked()
                elif step == "finish":
                    for one in history.events[published:]:
                        live.publish_nowait(one)
                        await trio.lowlevel.checkpoint()
                    await trio.testing.wait_all_tasks_blocked()
                elif step != "commit":
                    wanted, since = step
                    since = None if since is None else (await live.reach(since, None)).since
                    last = subscriber.subscribe_nowait(len(begun), wanted, since=since)
                    begun.append((wanted, last if since is None else since))
            nursery.cancel_scope.cancel()
    for name, (wanted, since) in enumerate(begun):
        came = [one["offset"] for one in heard if name in one["subs"]]
        expected = [
            one.offset
            for one in history.events[since:]
            if wanted.passes(one.connector_id, one.type)
            and (wanted.symbols is None or any(symbol in wanted.symbols for symbol, _ in one.items))
        ]
        assert came == expected, (name, since)
    late = [one["offset"] for one in heard if one["offset"] > last]
    assert late == sorted(set(late))


def test_the_broadcaster_ends_nobody_twice() -> None:
    """Leaving after having been let go is nothing."""
    live: Broadcaster = broadcaster(buffer_bytes=1)
    with live.subscriber() as one:
        one.subscribe_nowait(None, EVERYTHING)
        for offset in range(1, 9):
            live.publish_nowait(event(offset))
    assert live.statistics().too_slow == 1
