"""Events that left without an offset: who was sent one is told its offset later, everybody else is sent the event."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.actors.fan_out_unstored import Heard, SentUnstored, stored_notices
from etl_actors.actors.subscriber import Subscriber
from etl_actors.filtering import EVERYTHING, Filter
from etl_actors.messages import Event, Unstored

from .events import items_of, prices
from .history import History, broadcaster

BTC, ETH = (Filter(symbols=frozenset({symbol})) for symbol in ("BTC", "ETH"))


def unstored(event: Event) -> Unstored:
    """The event before it has its offset."""
    encoded = event.encoded.replace(b'"offset":%d,' % event.offset, b'"offset":null,')
    return Unstored(
        event_id=event.event_id,
        type=event.type,
        connector_id=event.connector_id,
        timestamp=event.timestamp,
        encoded=encoded,
        items=event.items,
    )


def both(offset: int) -> Event:
    """A price update of two symbols."""
    return prices(offset, {"BTC": "", "ETH": ""})


async def heard(subscriber: Subscriber) -> list[Any]:
    """What waits for a subscriber: events as ``(offset, symbols)``, and ``{id: offset}`` of notices."""
    found: list[Any] = []
    while subscriber.waiting_bytes:
        frame = await subscriber.receive()
        assert frame is not None
        said = json.loads(frame.text)
        if said["type"] == "stored":
            found.append({UUID(one["id"]).int: one["offset"] for one in said["data"]["events"]})
        else:
            found.append((said["offset"], items_of(said)))
    return found


async def test_who_was_sent_it_is_told_its_offset_and_others_are_sent_it() -> None:
    """Whoever came in between hears of it for the first time when it is stored."""
    live = broadcaster()
    with live.subscriber() as early, live.subscriber() as late:
        early.subscribe_nowait(None, EVERYTHING)
        live.publish_nowait(unstored(both(1)))
        late.subscribe_nowait(None, EVERYTHING)
        live.publish_nowait(unstored(both(2)))
        assert await heard(early) == [(None, ["BTC", "ETH"])] * 2
        assert await heard(late) == [(None, ["BTC", "ETH"])]
        for offset in (1, 2, 3):
            live.publish_nowait(both(offset))
        assert await heard(early) == [{1: 1}, {2: 2}, (3, ["BTC", "ETH"])]
        assert await heard(late) == [(1, ["BTC", "ETH"]), {2: 2}, (3, ["BTC", "ETH"])]


async def test_only_what_was_wanted_is_told_of() -> None:
    """Trimmed to its symbols; nothing is said of an event that was none of its."""
    live = broadcaster()
    with live.subscriber() as subscriber:
        subscriber.subscribe_nowait("mine", BTC)
        live.publish_nowait(unstored(both(1)))
        live.publish_nowait(unstored(prices(2, {"ETH": ""})))
        live.publish_nowait(both(1))
        live.publish_nowait(prices(2, {"ETH": ""}))
        assert await heard(subscriber) == [(None, ["BTC"]), {1: 1}]


async def test_several_subscriptions_are_told_once() -> None:
    """Also when one of them came later."""
    live = broadcaster()
    with live.subscriber() as subscriber:
        subscriber.subscribe_nowait("first", BTC)
        live.publish_nowait(unstored(both(1)))
        subscriber.subscribe_nowait("second", ETH)
        live.publish_nowait(unstored(both(2)))
        live.publish_nowait(both(1))
        live.publish_nowait(both(2))
        assert await heard(subscriber) == [(None, ["BTC"]), (None, ["BTC", "ETH"]), {1: 1}, {2: 2}]


async def test_going_back_does_not_bring_it_again(autojump_clock: Any) -> None:
    """The log tells the offset of what was sent already, and the rest of what was missed."""
    history = History([both(1)])
    live = broadcaster(history=history, head=1)
    with live.subscriber() as subscriber:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscriber.follow)
            subscriber.subscribe_nowait("mine", EVERYTHING)
            live.publish_nowait(unstored(both(2)))
            history.events.append(both(2))
            subscriber.subscribe_nowait("more", EVERYTHING, since=0)
            await trio.testing.wait_all_tasks_blocked()
            live.publish_nowait(both(2))
            await trio.testing.wait_all_tasks_blocked()
            assert await heard(subscriber) == [(None, ["BTC", "ETH"]), (1, ["BTC", "ETH"]), {2: 2}]
            nursery.cancel_scope.cancel()


async def test_a_new_process_sends_what_waited_like_anything_else() -> None:
    """It sent nothing without an offset."""
    live = broadcaster()
    with live.subscriber() as subscriber:
        subscriber.subscribe_nowait(None, EVERYTHING)
        live.publish_nowait(both(1))
        assert await heard(subscriber) == [(1, ["BTC", "ETH"])]


def test_only_so_many_are_remembered() -> None:
    """The oldest are forgotten first."""
    sent = SentUnstored(most=2)
    for number in (1, 2, 3):
        sent.note(UUID(int=number))
    assert [sent.number_of(UUID(int=number)) for number in (1, 2, 3)] == [None, 2, 3]


def test_what_is_stored_is_forgotten_after_a_while() -> None:
    """Not at once, for whoever reads the log may come to it late; but an outage leaves nothing behind for good."""
    now = [0.0]
    sent = SentUnstored(seconds=10, clock=lambda: now[0])
    for number in range(1, 7):
        sent.note(UUID(int=number))
    for now[0], number in ((100.0, 1), (109.0, 2), (111.0, 3), (121.0, 4), (500.0, 5)):
        assert sent.settle(UUID(int=number)) == number
        if number == 3:
            assert [sent.number_of(UUID(int=each)) for each in range(1, 7)] == [1, 2, 3, 4, 5, 6]
        if number == 4:
            assert [sent.number_of(UUID(int=each)) for each in range(1, 7)] == [None, None, 3, 4, 5, 6]
    assert [sent.number_of(UUID(int=each)) for each in range(1, 7)] == [None, None, None, None, 5, 6]
    assert len(sent) == 2


def test_long_notices_are_cut() -> None:
    """So that a frame stays small, however long the outage was."""
    told = [(UUID(int=number), number) for number in range(1, 1_202)]
    notices = [json.loads(notice)["data"]["events"] for notice in stored_notices(told)]
    assert [len(events) for events in notices] == [500, 500, 201]
    assert [one["offset"] for events in notices for one in events] == list(range(1, 1_202))


@given(st.lists(st.sampled_from(("begin", "end", "event")), max_size=60))
def test_what_was_heard_is_what_was_said_while_it_was_live(steps: list[str]) -> None:
    """However often it went back and joined again, as far as that is remembered."""
    heard, live, count, expected = Heard(), False, 0, set()
    beginnings = 0
    for step in steps:
        if step == "event":
            count += 1
            expected |= {count} if live else set()
        elif step == "begin" and not live and beginnings < 16:
            heard.begin(count)
            live, beginnings = True, beginnings + 1
        elif step == "end":
            heard.end(count)
            live = False
    assert {number for number in range(1, count + 1) if heard.has(number)} == expected
