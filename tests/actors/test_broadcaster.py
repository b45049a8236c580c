"""Everybody gets the same bytes, in order; who reads too slowly is let go and nobody else notices."""

from __future__ import annotations

from typing import Any

import trio
import trio.testing
from uuid_utils.compat import uuid7

from etl_actors.actors.broadcaster import Broadcaster, Subscription
from etl_actors.actors.subscription import SubscriptionQueue
from etl_actors.messages import Event, Loaded

from .parts import RECEIVED


def loaded(*offsets: int, size: int = 10) -> Loaded:
    """A committed batch with events of these offsets."""
    return Loaded(
        events=tuple(
            Event(
                offset=offset,
                event_id=uuid7(),
                type="price_update",
                connector_id="one",
                timestamp=RECEIVED,
                encoded=str(offset).encode().ljust(size),
            )
            for offset in offsets
        )
    )


async def read(subscription: Subscription) -> list[int]:
    """The offsets that arrive until the subscription ends."""
    return [int(frame) async for frame in subscription]


async def test_every_subscriber_gets_every_event_in_order(autojump_clock: Any) -> None:
    """From the moment it subscribed until the end."""
    broadcaster = Broadcaster(buffer_bytes=1000)
    send, receive = trio.open_memory_channel[Loaded](10)
    heard: list[list[int]] = []

    async def listen(subscription: Subscription) -> None:
        heard.append(await read(subscription))

    with broadcaster.subscribe() as first, broadcaster.subscribe() as second:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(broadcaster.run, receive)
            nursery.start_soon(listen, first)
            nursery.start_soon(listen, second)
            await send.send(loaded(1, 2))
            await send.send(loaded(3))
            await trio.testing.wait_all_tasks_blocked()
            await send.aclose()
            broadcaster.close_nowait()
    assert heard == [[1, 2, 3], [1, 2, 3]]
    assert broadcaster.head == 3


async def test_a_subscriber_that_reads_too_slowly_is_let_go(autojump_clock: Any) -> None:
    """Its memory is bounded, it is closed with 1013, and the other one gets everything."""
    broadcaster = Broadcaster(buffer_bytes=100)
    with broadcaster.subscribe() as slow, broadcaster.subscribe() as quick:
        got = []
        for offset in range(1, 21):
            for event in loaded(offset).events:
                broadcaster.publish_nowait(event.encoded)
            got.append(int(await quick.__anext__()))
        assert got == list(range(1, 21))
        assert slow.closing is not None
        assert slow.closing.code == 1013
        assert slow.waiting_bytes == 0
    assert broadcaster.statistics().too_slow == 1


def test_two_events_larger_than_the_buffer_may_wait() -> None:
    """Else the big answers of one round would end every subscriber; behind them the buffer is what it is."""
    queue = SubscriptionQueue(buffer_bytes=1500)
    queue.offer(b"x" * 1000)
    queue.offer(b"y" * 2000)
    assert queue.closing is None
    queue.offer(b"z")
    assert queue.closing is not None
    assert queue.waiting_bytes == 0


def test_an_orderly_end_lets_what_waits_run_dry() -> None:
    """Nothing that was queued before the end is lost."""
    queue = SubscriptionQueue(buffer_bytes=10)
    queue.offer(b"last")
    queue.close(1001, "the service stops")
    assert queue.take() == b"last"
    assert queue.take() is None


async def test_publishing_says_how_many_it_reached(autojump_clock: Any) -> None:
    """What ``POST /ws/test`` answers."""
    broadcaster = Broadcaster(buffer_bytes=100)
    assert broadcaster.publish_nowait(b"{}") == 0
    with broadcaster.subscribe(), broadcaster.subscribe():
        assert broadcaster.publish_nowait(b"{}") == 2
    assert broadcaster.statistics().subscribers == 0
