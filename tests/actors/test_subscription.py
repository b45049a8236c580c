"""What waits for a subscriber: bounded, in order, and honest about what does not come. Held for any order of things."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.actors.fan_out_parcel import Parcel, Parcels
from etl_actors.actors.subscription import ALWAYS_WAITING, Outgoing, Policy, SubscriptionQueue
from etl_actors.actors.subscription_entry import ENTRY_OVERHEAD

from .events import event, items_of, prices

SYMBOLS = ("BTC", "ETH", "SOL", "ADA")
BUFFERS = st.integers(min_value=0, max_value=5_000)
# What happens to a queue: a number of frames is taken, or an event with these symbols (none: a status) comes in.
STEPS = st.lists(
    st.one_of(
        st.integers(min_value=1, max_value=4),
        st.tuples(
            st.sampled_from(("one", "two")),
            st.lists(st.sampled_from(SYMBOLS), max_size=4, unique=True),
            st.integers(min_value=0, max_value=600),
        ),
    ),
    max_size=60,
)


def parcel_of(offset: int, connector: str, symbols: Iterable[str], padding: int) -> Parcel:
    """A price update of ``connector`` in which each item holds the offset; a status without symbols."""
    made = prices(offset, dict.fromkeys(symbols, "x" * padding), connector=connector)
    return Parcels(made).trimmed_exactly_to(None)


def drained(queue: SubscriptionQueue) -> list[Any]:
    """Everything that waits, decoded."""
    return [json.loads(frame.text) for frame in iter(queue.take, None)]


def played(queue: SubscriptionQueue, steps: list[Any]) -> tuple[list[Any], list[tuple[int, str, tuple[str, ...]]]]:
    """Play ``steps``: what came out in all, and what went in. The bound holds after every step."""
    out: list[Any] = []
    went_in: list[tuple[int, str, tuple[str, ...]]] = []
    for step in steps:
        if isinstance(step, int):
            out += [json.loads(frame.text) for _ in range(step) if (frame := queue.take()) is not None]
            continue
        connector, symbols, padding = step
        went_in.append((len(went_in) + 1, connector, tuple(symbols)))
        queue.offer(parcel_of(len(went_in), connector, symbols, padding), b',"subs":["mine"]}')
        waiting = [entry.size for entry in queue._entries.values()]
        assert queue.waiting_bytes == sum(waiting)
        assert len(waiting) <= ALWAYS_WAITING or sum(waiting[1:]) <= queue.buffer_bytes
    return out + drained(queue), went_in


@given(BUFFERS, STEPS)
def test_dropping_the_oldest_tells_exactly_what_is_missing(buffer_bytes: int, steps: list[Any]) -> None:
    """What came and what was announced as dropped are together all there was, in order, each once."""
    out, went_in = played(SubscriptionQueue(buffer_bytes, "drop_oldest"), steps)
    accounted: list[int] = []
    for one in out:
        if one["type"] == "dropped":
            lost = range(one["data"]["from_offset"], one["data"]["to_offset"] + 1)
            assert len(lost) == one["data"]["count"]
            accounted += lost
        else:
            accounted.append(one["offset"])
    assert accounted == [offset for offset, _, _ in went_in]


@given(BUFFERS, STEPS)
def test_a_reader_that_keeps_up_with_disconnect_misses_nothing(buffer_bytes: int, steps: list[Any]) -> None:
    """Either all came, in order, or it was let go and holds nothing."""
    queue = SubscriptionQueue(buffer_bytes, "disconnect")
    out, went_in = played(queue, steps)
    offsets = [one["offset"] for one in out]
    assert offsets == [offset for offset, _, _ in went_in][: len(offsets)]
    if queue.closing is None:
        assert len(offsets) == len(went_in)
    else:
        assert queue.closing.code == 1013
        assert queue.waiting_bytes == 0


@given(BUFFERS, STEPS)
def test_conflating_keeps_the_newest_of_each_connector_and_symbol(buffer_bytes: int, steps: list[Any]) -> None:
    """Offsets rise, nothing comes twice, and the last that came of a symbol is the last there was, unless dropped."""
    queue = SubscriptionQueue(buffer_bytes, "conflate")
    out, went_in = played(queue, steps)
    dropped = {
        offset
        for one in out
        if one["type"] == "dropped"
        for offset in range(one["data"]["from_offset"], one["data"]["to_offset"] + 1)
    }
    events = [one for one in out if one["type"] != "dropped"]
    offsets = [one["offset"] for one in events]
    assert offsets == sorted(set(offsets))
    assert all(one["subs"] == ["mine"] for one in events)
    came = {(one["connector_id"], symbol): one["offset"] for one in events for symbol in items_of(one)}
    for one in events:
        assert all(item["seen"] == one["offset"] for item in one["data"].get("items", ()))
    newest = {(connector, symbol): offset for offset, connector, symbols in went_in for symbol in symbols or ("",)}
    for key, offset in newest.items():
        assert came.get(key) == offset or offset in dropped, key
    assert sum(one["data"]["count"] for one in out if one["type"] == "dropped") == queue.dropped


def test_conflating_begins_when_the_reader_is_too_slow_and_ends_when_it_caught_up() -> None:
    """Who reads quickly enough gets every event, conflate or not."""
    queue = SubscriptionQueue(1_000, "conflate")
    for offset in (1, 2):
        queue.offer(parcel_of(offset, "one", ["BTC"], 100))
    assert [one["offset"] for one in drained(queue)] == [1, 2]
    for offset in range(3, 50):
        queue.offer(parcel_of(offset, "one", ["BTC", "ETH"] if offset == 3 else ["BTC"], 300))
    assert [(one["offset"], items_of(one)) for one in drained(queue)] == [(3, ["ETH"]), (49, ["BTC"])]
    for offset in (50, 51):
        queue.offer(parcel_of(offset, "one", ["BTC"], 100))
    assert [one["offset"] for one in drained(queue)] == [50, 51]
    assert queue.dropped == 0


def test_what_is_replayed_does_not_take_the_place_of_what_is_newer() -> None:
    """A reader that went back for another subscription still gets the newest of the first one."""
    queue = SubscriptionQueue(400, "conflate")
    for offset in range(50, 60):
        queue.offer(parcel_of(offset, "one", ["BTC"], 100), b',"subs":["live"]}')
    queue.put(parcel_of(7, "one", ["BTC"], 100), b',"subs":["back"]}')
    assert [(one["offset"], one["subs"]) for one in drained(queue)] == [(59, ["live"]), (7, ["back"])]


def test_what_is_replayed_in_part_only_loses_what_was_newest() -> None:
    """The old event of two symbols keeps the one that was newer elsewhere; the newer one is superseded where it is."""
    queue = SubscriptionQueue(400, "conflate")
    for offset in range(50, 60):
        queue.offer(parcel_of(offset, "one", ["BTC"], 100))
    queue.put(parcel_of(7, "one", ["ETH", "BTC"], 100))
    queue.put(parcel_of(60, "one", ["ETH", "BTC"], 100))
    assert [(one["offset"], items_of(one)) for one in drained(queue)] == [(7, ["BTC"]), (60, ["ETH", "BTC"])]


def test_what_cannot_be_conflated_is_dropped_and_said() -> None:
    """Distinct messages do not replace each other, so the bound is held by dropping."""
    queue = SubscriptionQueue(500 + 4 * ENTRY_OVERHEAD, "conflate")
    for offset in range(1, 21):
        queue.offer(Parcel(json.dumps({"type": "chat", "offset": offset, "x": "y" * 100}).encode(), offset=offset))
    dropped, *rest = drained(queue)
    assert dropped["data"] == {"count": 16, "from_offset": 1, "to_offset": 16}
    assert [one["offset"] for one in rest] == [17, 18, 19, 20]


@pytest.mark.parametrize("policy", ["conflate", "drop_oldest"])
def test_replies_are_never_dropped_and_keep_their_place(policy: Policy) -> None:
    """A pong waits behind what was there before, and makes nothing else go."""
    queue = SubscriptionQueue(300, policy)
    queue.offer(parcel_of(1, "one", ["BTC"], 10))
    queue.reply(b'{"type":"pong"}')
    for offset in range(2, 30):
        queue.offer(parcel_of(offset, "one", ["BTC", "ETH"], 50))
    assert "pong" in [one["type"] for one in drained(queue)]


def test_the_bound_is_exact() -> None:
    """As many bytes as may wait do, behind the event that leaves next; one more, and the oldest goes."""
    for more, left in ((0, [1, 2, 3]), (1, [2, 3])):
        queue = SubscriptionQueue(200 + 2 * ENTRY_OVERHEAD, "drop_oldest")
        for offset, size in ((1, 500), (2, 100), (3, 100 + more)):
            queue.offer(Parcel(b"x" * size, offset=offset))
        assert [frame.offset for frame in iter(queue.take, None) if frame.offset is not None] == left


def test_replies_are_bounded_by_who_makes_them() -> None:
    """Whoever asks without reading is not answered until there is room."""
    queue = SubscriptionQueue(300)
    while queue.has_room_for_replies:
        queue.reply(b"x" * 1_000)
    assert queue.closing is None
    assert queue.waiting_bytes < 70_000
    queue.take()
    assert queue.has_room_for_replies


def test_a_batch_holds_what_waits_as_it_would_have_been_sent_alone() -> None:
    """In order, up to its size; replies stand alone, and so does a single event."""
    queue = SubscriptionQueue(100_000)
    alone = [event(offset) for offset in range(1, 6)]
    for one in alone[:4]:
        queue.offer(Parcels(one).trimmed_exactly_to(None), b',"subs":[1]}')
    queue.reply(b'{"type":"pong"}')
    queue.offer(Parcels(alone[4]).trimmed_exactly_to(None))
    first = queue.take_batch(2 * (len(alone[0].encoded) + ENTRY_OVERHEAD) + 60)
    assert first is not None
    batch = json.loads(first.text)
    assert batch == {"type": "batch", "events": [json.loads(one.encoded) | {"subs": [1]} for one in alone[:2]]}
    assert first.offset == 2
    rest = [json.loads(frame.text) for frame in iter(lambda: queue.take_batch(10_000), None)]
    assert [one["type"] for one in rest] == ["batch", "pong", "connector_status"]
    assert queue.take_batch(10_000) is None


def test_two_events_larger_than_the_buffer_may_wait() -> None:
    """Else the big answers of one round would end every subscriber; behind them the buffer is what it is."""
    queue = SubscriptionQueue(buffer_bytes=1500)
    queue.offer(Parcel(b"x" * 1000))
    queue.offer(Parcel(b"y" * 2000))
    assert queue.closing is None
    queue.offer(Parcel(b"z"))
    assert queue.closing is not None
    assert queue.waiting_bytes == 0


def test_an_orderly_end_lets_what_waits_run_dry() -> None:
    """Nothing that was queued before the end is lost."""
    queue = SubscriptionQueue(buffer_bytes=10)
    queue.offer(Parcel(b"last"))
    queue.close(1001, "the service stops")
    assert queue.take() == Outgoing(b"last")
    assert queue.take() is None
