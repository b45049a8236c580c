"""The broadcaster: hands what was committed to every subscriber, the same bytes to each.

A subscriber is a :class:`Subscription`; the web room holds its receiving end. Publishing never waits for anybody: a
subscriber that reads too slowly is its own problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio
from msgspec import Struct

from ..messages import Loaded
from .subscription import CLOSE_GOING_AWAY, Closing, SubscriptionQueue


class BroadcasterStatistics(Struct, frozen=True, kw_only=True):
    """What was published so far, and to how many it goes now."""

    subscribers: int
    events: int
    too_slow: int
    head: int | None
    waiting_bytes: int


class Subscription:
    """One subscriber's receiving end."""

    def __init__(self, buffer_bytes: int) -> None:
        self._queue = SubscriptionQueue(buffer_bytes)
        self._arrived = trio.Event()

    @property
    def waiting_bytes(self) -> int:
        """How much waits for this subscriber."""
        return self._queue.waiting_bytes

    @property
    def closing(self) -> Closing | None:
        """Why it ends, once it does."""
        return self._queue.closing

    def offer_nowait(self, frame: bytes) -> None:
        """Queue a frame for this subscriber."""
        self._queue.offer(frame)
        self._arrived.set()

    def close_nowait(self, code: int, reason: str) -> None:
        """End the subscription."""
        self._queue.close(code, reason)
        self._arrived.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> bytes:
        """The next frame; ends when the subscription is over and nothing waits any more."""
        while True:
            frame = self._queue.take()
            if frame is not None:
                return frame
            if self._queue.closing is not None:
                raise StopAsyncIteration
            self._arrived = trio.Event()
            await self._arrived.wait()


class Broadcaster:
    """Knows the subscribers and what was published last; ``head`` is where the log ended before."""

    def __init__(self, *, buffer_bytes: int, head: int | None = None) -> None:
        self._buffer_bytes = buffer_bytes
        self._subscriptions: set[Subscription] = set()
        self._events = 0
        self._too_slow = 0
        self._head = head

    @property
    def head(self) -> int | None:
        """The newest offset of the log, as far as it was published."""
        return self._head

    def statistics(self) -> BroadcasterStatistics:
        """A snapshot."""
        return BroadcasterStatistics(
            subscribers=len(self._subscriptions),
            events=self._events,
            too_slow=self._too_slow,
            head=self._head,
            waiting_bytes=sum(subscription.waiting_bytes for subscription in self._subscriptions),
        )

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """A subscription to everything that is published from now on."""
        subscription = Subscription(self._buffer_bytes)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def publish_nowait(self, frame: bytes) -> int:
        """Offer ``frame`` to every subscriber; returns to how many. One that is too far behind is let go."""
        reached = 0
        for subscription in tuple(self._subscriptions):
            subscription.offer_nowait(frame)
            if subscription.closing is None:
                reached += 1
            else:
                self._too_slow += 1
                self._subscriptions.discard(subscription)
        return reached

    async def run(self, loaded_receive: trio.MemoryReceiveChannel[Loaded]) -> None:
        """Until the input ends."""
        async with loaded_receive:
            async for loaded in loaded_receive:
                for event in loaded.events:
                    self.publish_nowait(event.encoded)
                    self._events += 1
                    self._head = event.offset
                    await trio.lowlevel.checkpoint()

    def close_nowait(self) -> None:
        """End every subscription: the service stops."""
        for subscription in self._subscriptions:
            subscription.close_nowait(CLOSE_GOING_AWAY, "the service stops")
