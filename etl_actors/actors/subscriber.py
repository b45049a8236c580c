"""A subscriber: one socket or stream that is handed events, from the log while it is behind and live otherwise.

Two tasks of whoever holds it: one lets out what comes (:meth:`Subscriber.leave_through`, or one by one with
:meth:`Subscriber.receive`), one keeps it moving while it is behind (:meth:`Subscriber.follow`). While the first waits
for something, whoever publishes writes in its place: to wake a task costs more than most events do. What is read from
the log comes in pages, the next one only when there is room, and nothing is held between two of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import trio
from trio.lowlevel import ParkingLot

from .. import wire
from ..filtering import Filter
from ..messages import Event
from .fan_out_parcel import Parcel, Parcels
from .subscription import Closing, Outgoing, Policy, SubscriptionQueue, dropped_notice
from .subscription_place import Name, Place, Wanted, merged

# A batch is not larger than this, unless one event is: common clients refuse frames of 1 MiB.
BATCH_BYTES = 262_144
# What waits leaves in one write, up to this.
AT_ONCE_BYTES = 65_536
# Of so many messages it is known whether they were handed to it.
MESSAGES_REMEMBERED = 256


class Feed(Protocol):
    """Where events come from."""

    @property
    def head(self) -> int: ...
    def take_in(self, wanted: Wanted) -> None: ...
    def let_go(self, wanted: Wanted) -> None: ...
    async def page(self, after: int) -> Sequence[Event]: ...
    def unstored_number(self, event_id: UUID) -> int | None: ...


class Outlet(Protocol):
    """Where texts leave in their order. ``send_nowait`` never waits: what is not taken leaves with the next ``send``,
    and until then it is clogged.
    """

    @property
    def is_clogged(self) -> bool: ...
    def send_nowait(self, texts: Sequence[bytes], /) -> None: ...
    async def send(self, texts: Sequence[bytes], /) -> None: ...


class Subscriber:
    """Made by the broadcaster; wants nothing yet."""

    def __init__(self, feed: Feed, *, buffer_bytes: int) -> None:
        self._feed = feed
        self._queue = SubscriptionQueue(buffer_bytes)
        self._place = Place(self, feed.head)
        self._batches = False
        self._interval = 0.0
        self._left_at = -float("inf")
        self._idle: Outlet | None = None  # where to write while nobody else does
        self._messages: deque[int] = deque(maxlen=MESSAGES_REMEMBERED)
        self._arrived = ParkingLot()
        self._taken = ParkingLot()
        self._fell_behind = ParkingLot()

    @property
    def waiting_bytes(self) -> int:
        """How much waits."""
        return self._queue.waiting_bytes

    @property
    def dropped(self) -> int:
        """How many events were dropped."""
        return self._queue.dropped

    @property
    def is_behind(self) -> bool:
        """Whether it reads the log."""
        return not self._place.is_live

    @property
    def closing(self) -> Closing | None:
        """Why it ends, once it does."""
        return self._queue.closing

    @property
    def subscriptions(self) -> Sequence[Wanted]:
        """Everything it wants."""
        return tuple(self._place.subscriptions.values())

    @property
    def has_several(self) -> bool:
        """Whether one event may be wanted more than once."""
        return len(self._place.subscriptions) > 1

    # What it wants.

    def subscribe_nowait(self, name: Name, wanted: Filter, *, since: int | None = None) -> int:
        """Want this too, in the place of what had that name; returns the newest offset.

        It is wanted from behind ``since`` on, which the log must reach, else from now on.
        """
        was = self.subscriptions if self._place.is_live else ()
        newest = max(self._feed.head, self._place.offset)
        self._place.subscribe(name, wanted, since=since, head=self._feed.head)
        self._index_anew(was)
        return newest

    def unsubscribe_nowait(self, name: Name) -> bool:
        """Want that no more; whether it did."""
        ended = self._place.unsubscribe(name)
        if ended is not None:
            self._feed.let_go(ended)
        return ended is not None

    def deliver_so(
        self, *, policy: Policy | None = None, batch: bool | None = None, interval_ms: int | None = None
    ) -> None:
        """How it is served from now on; None leaves a thing as it is."""
        if policy is not None:
            self._queue.policy = policy
        if batch is not None:
            self._batches = batch
        if interval_ms is not None:
            self._interval = interval_ms / 1000

    def note_message(self, offset: int) -> None:
        """It is handed what a client said."""
        self._messages.append(offset)

    def gets(self, message: Event) -> bool:
        """Whether it was handed this message, which is published, or reads it in the log."""
        if message.offset in self._messages:
            return True
        if self._place.is_live or self._place.offset >= message.offset:
            return False
        passing = [one for one in self.subscriptions if one.filter.passes(message.connector_id, message.type)]
        return merged(Parcels(message), passing) is not None

    # What it is given.

    def offer_nowait(self, parcel: Parcel, suffix: bytes = b"") -> None:
        """Something that was published; it leaves with the next :meth:`flush_nowait`."""
        self._queue.offer(parcel, suffix)

    def flush_nowait(self) -> None:
        """Let leave what was offered: at once where that is possible, else as soon as its outlet takes it."""
        outlet = self._idle
        waits = self.closing is not None or (self._batches and self._interval > 0)
        if outlet is not None and not outlet.is_clogged and not waits:
            outlet.send_nowait(self._take_several())
            if self._queue.is_empty and not outlet.is_clogged:
                return
        self._wake()

    def _wake(self) -> None:
        if self._arrived:
            self._arrived.unpark_all()

    def reply_nowait(self, text: bytes) -> None:
        """Something for it alone, behind what waits already; never dropped."""
        self._queue.reply(text)
        self._wake()

    async def wait_reply_room(self) -> None:
        """Until few enough replies wait."""
        while not self._queue.has_room_for_replies and self.closing is None:
            await self._taken.park()

    def tell_position_nowait(self) -> None:
        """Say where it is, behind what waits: who is told an offset was sent everything up to it that it wants."""
        if self.subscriptions and self._queue.has_room_for_replies:
            offset = self._place.at(self._feed.head)
            self._queue.reply(wire.encode({"type": "position", "offset": offset}), offset)
            self._wake()

    def fall_behind_nowait(self, head: int) -> None:
        """Something after ``head`` was not published here."""
        if self._place.is_live:
            before = self.subscriptions
            self._place.fall_behind(head)
            self._index_anew(before)

    def close_nowait(self, code: int, reason: str) -> None:
        """End it."""
        self._queue.close(code, reason)
        self._wake()
        self._taken.unpark_all()

    # What comes out.

    async def leave_through(self, outlet: Outlet) -> None:
        """Send what waits, until it is over and nothing waits any more."""
        while True:
            if self._batches and self._interval:
                await self._wait_batch()
            texts = self._take_several()
            if texts or outlet.is_clogged:
                await outlet.send(texts)
            elif self.closing is not None:
                return
            else:
                self._idle = outlet
                try:
                    await self._arrived.park()
                finally:
                    self._idle = None

    async def receive(self) -> Outgoing | None:
        """The next frame; None when it is over and nothing waits any more."""
        while True:
            if self._batches and self._interval:
                await self._wait_batch()
            frame = self._next_frame()
            if frame is not None or self.closing is not None:
                return frame
            await self._arrived.park()

    def _next_frame(self) -> Outgoing | None:
        frame = self._queue.take_batch(BATCH_BYTES) if self._batches else self._queue.take()
        if frame is not None:
            self._left_at = trio.current_time()
            if self._taken:
                self._taken.unpark_all()
        return frame

    def _take_several(self) -> list[bytes]:
        """What waits, as far as it leaves together."""
        texts: list[bytes] = []
        size = 0
        while size < AT_ONCE_BYTES and (frame := self._next_frame()) is not None:
            texts.append(frame.text)
            size += len(frame.text)
            if self._batches:
                break  # the next one has its own time
        return texts

    async def _wait_batch(self) -> None:
        """Until it is time for the next frame, much waits, or something that is no event."""
        much = min(BATCH_BYTES, self._queue.buffer_bytes // 2)
        with trio.move_on_at(self._left_at + self._interval):
            while self._queue.waiting_bytes < much and not self._queue.next_is_reply and self.closing is None:
                await self._arrived.park()

    # How it catches up.

    async def follow(self) -> None:
        """For ever: read the log whenever it is behind, until it is live."""
        while True:
            while self._place.is_live or self.closing is not None:
                await self._fell_behind.park()
            await self._catch_up()

    async def _catch_up(self) -> None:
        """One page of the log; or join what is live, when nothing is between."""
        place, generation, published = self._place, self._place.generation, self._feed.head
        place.skip_unwanted(published)
        if place.join(published):
            self._index_anew(())
            return
        page = await self._feed.page(place.offset)
        if not page and place.generation == generation:
            place.pass_to(published)  # all that was stored of it is gone
        for event in page:
            await self._wait_room()
            if place.generation != generation or self.closing is not None:
                return  # it is wanted from elsewhere meanwhile, or not any more
            self._take(event)

    def _take(self, event: Event) -> None:
        missing = event.offset - self._place.offset - 1
        if missing > 0:
            self.reply_nowait(dropped_notice(missing, self._place.offset + 1, event.offset - 1))
        taken = self._place.take(event, Parcels(event), self._feed.unstored_number(event.event_id))
        if taken is not None:
            if not event.connector_id:
                self.note_message(event.offset)
            self._queue.put(*taken)
            self._wake()

    async def _wait_room(self) -> None:
        while not self._queue.has_room and self.closing is None:
            await self._taken.park()

    def _index_anew(self, was: Sequence[Wanted]) -> None:
        """Let the feed know what is wanted now, and not ``was``; who is behind is handed nothing."""
        for one in was:
            self._feed.let_go(one)
        if self.closing is not None:
            return
        if self._place.is_live:
            for one in self.subscriptions:
                self._feed.take_in(one)
        else:
            self._fell_behind.unpark_all()
