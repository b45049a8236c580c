"""The broadcaster: hands what was committed to every subscriber that wants it, the same bytes to each.

Publishing never waits for anybody: a subscriber that reads too slowly is its own problem. Who comes back reads what it
missed from the newest events, which are kept here, or from the log, and joins without a seam
(``subscription_place.py``). An offset that was not published here (another process wrote it, or this one crashed
between commit and here) is seen as a hole, and everybody reads it from the log.

While the database is away events come without an offset and leave so; when they are stored, who was sent them is told
their offsets, and everybody else is sent them (``handout.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Protocol
from uuid import UUID

import structlog
import trio
from msgspec import Struct

from ..errors import StorageUnavailable
from ..messages import Event, Loaded, Unstored
from .fan_out_parcel import Parcel
from .fan_out_recent import RecentEvents
from .handout import Handout
from .subscriber import Subscriber
from .subscription import CLOSE_GOING_AWAY, CLOSE_TRY_AGAIN_LATER
from .subscription_place import Wanted

log = structlog.get_logger("broadcaster")

# What is kept for those who come back after a moment.
RECENT_BYTES = 16_777_216
# What is read at once for one subscriber that catches up, and for how many at the same time.
PAGE_EVENTS = 500
PAGE_BYTES = 262_144
PAGES_AT_ONCE = 2
LOG_RETRY_SECONDS = 1.0

# Events leave after so much, not each by itself: what waits for a subscriber then leaves together. Not more, or one
# that reads well would be taken for a slow one, and others would wait too long for their turn.
SLICE_SECONDS = 0.01
SLICE_BYTES = 65_536
FLUSHED_AT_ONCE = 10


class LogReader(Protocol):
    """Reads what was stored; may raise :class:`StorageUnavailable`.

    ``after`` gives events behind an offset, in order, at least one if there is one. ``bounds`` tells whose history this
    is, the oldest offset that can be read, and the newest.
    """

    async def after(self, offset: int, *, limit: int, max_bytes: int) -> Sequence[Event]: ...
    async def bounds(self) -> tuple[UUID, int, int]: ...


class HandOutTimer(Protocol):
    """Is told how long after their commit these events had left, or waited for those who read slowly."""

    def handed_out(self, events: Sequence[Event], seconds: float, /) -> None: ...


class BroadcasterStatistics(Struct, frozen=True, kw_only=True):
    """What was published so far, and to how many it goes now. ``replaying`` of them read the log.

    ``fullest_bytes`` is what waits for the one for whom most does; ``recent_bytes`` what is kept for those who come
    back.
    """

    subscribers: int
    replaying: int
    events: int
    too_slow: int
    dropped: int
    head: int
    waiting_bytes: int
    fullest_bytes: int
    recent_bytes: int


class Reach(Struct, frozen=True, kw_only=True):
    """Whether all that follows an offset can be had. ``since`` is where one can begin; None is now.

    ``oldest`` is the oldest offset there is, where it matters.
    """

    recovered: bool
    since: int | None
    oldest: int | None = None


class Broadcaster:
    """Knows the subscribers and what was published last; ``head`` is where the log ended before."""

    def __init__(
        self,
        *,
        buffer_bytes: int,
        stream: UUID,
        head: int,
        history: LogReader,
        recent_bytes: int = RECENT_BYTES,
        timer: HandOutTimer | None = None,
    ) -> None:
        self.stream = str(stream)
        self._buffer_bytes = buffer_bytes
        self._head = head
        self._history = history
        self._timer = timer
        self._recent = RecentEvents(recent_bytes)
        self._subscribers: set[Subscriber] = set()
        self._handout = Handout()
        self._events = self._too_slow = self._dropped = 0
        self._pages = trio.Semaphore(PAGES_AT_ONCE)
        self._trouble = False
        self._moved = trio.lowlevel.ParkingLot()

    @property
    def head(self) -> int:
        """The newest offset of the log, as far as it was published."""
        return self._head

    def statistics(self) -> BroadcasterStatistics:
        """A snapshot."""
        waiting = [subscriber.waiting_bytes for subscriber in self._subscribers]
        return BroadcasterStatistics(
            subscribers=len(self._subscribers),
            replaying=sum(subscriber.is_behind for subscriber in self._subscribers),
            events=self._events,
            too_slow=self._too_slow,
            dropped=self._dropped + sum(subscriber.dropped for subscriber in self._subscribers),
            head=self._head,
            waiting_bytes=sum(waiting),
            fullest_bytes=max(waiting, default=0),
            recent_bytes=self._recent.bytes,
        )

    @contextmanager
    def subscriber(self) -> Iterator[Subscriber]:
        """Somebody who wants nothing yet."""
        subscriber = Subscriber(self, buffer_bytes=self._buffer_bytes)
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._dismiss(subscriber)

    async def reach(self, since: int, stream: str | None) -> Reach:
        """Whether somebody can resume behind ``since`` of ``stream`` (None: of this one).

        Where history begins later, one can begin with what is left. Raises :class:`StorageUnavailable`.
        """
        mine = stream is None or stream == self.stream
        if mine and (since == self._head or (since < self._head and self._recent.reaches(since))):
            return Reach(recovered=True, since=since)
        _, oldest, head = await self._history.bounds()
        head = max(head, self._head)
        if not mine or since > head:
            return Reach(recovered=False, since=None, oldest=oldest)
        if since < oldest - 1:
            return Reach(recovered=False, since=oldest - 1, oldest=oldest)
        return Reach(recovered=True, since=since)

    async def page(self, after: int) -> Sequence[Event]:
        """Some of the events behind ``after``; none if there are none. Waits for the database as long as it takes."""
        while True:
            page = self._recent.after(after, limit=PAGE_EVENTS, max_bytes=PAGE_BYTES)
            if page is not None:
                await trio.lowlevel.checkpoint()
                return page
            try:
                async with self._pages:
                    page = await self._history.after(after, limit=PAGE_EVENTS, max_bytes=PAGE_BYTES)
            except StorageUnavailable as error:
                if not self._trouble:
                    log.warning("broadcaster.history_lost", error=str(error))
                self._trouble = True
                await trio.sleep(LOG_RETRY_SECONDS)
            else:
                self._trouble = False
                return page

    def take_in(self, wanted: Wanted) -> None:
        """A subscription that is live."""
        self._handout.take_in(wanted)

    def let_go(self, wanted: Wanted) -> None:
        """One that is not, any more."""
        self._handout.let_go(wanted)

    def unstored_number(self, event_id: UUID) -> int | None:
        """Which of the events that were sent without an offset it was, if it was one of those that are remembered."""
        return self._handout.unstored_number(event_id)

    def publish_nowait(self, event: Event | Unstored) -> None:
        """Hand an event to everybody who wants it. One who is too far behind is let go."""
        self._publish(event)
        self._let_leave()

    def _publish(self, event: Event | Unstored) -> bool:
        """Offer it to everybody; whether it was new."""
        if isinstance(event, Unstored):
            self._events += 1
            self._handout.offer_unstored(event)
            return True
        if event.offset <= self._head:
            return False  # published before the broadcaster was restarted, or read from the log by everybody
        if event.offset > self._head + 1:
            for subscriber in self._subscribers:
                subscriber.fall_behind_nowait(self._head)
        self._events += 1
        self._head = event.offset
        self._recent.add(event)
        self._handout.offer_event(event)
        if self._moved:
            self._moved.unpark_all()
        return True

    async def wait_published(self, offset: int) -> None:
        """Until everything up to ``offset`` was handed out."""
        while self._head < offset:
            await self._moved.park()

    def announce_nowait(self, text: bytes) -> int:
        """Offer something that is no event of the log to every subscriber; returns to how many."""
        parcel = Parcel(text)
        for subscriber in self._subscribers:
            self._handout.offer(subscriber, parcel)
        self._let_leave()
        return len(self._subscribers)

    async def run(self, loaded_receive: trio.MemoryReceiveChannel[Loaded]) -> None:
        """Until the input ends."""
        async with loaded_receive:
            await self._flush()  # an incarnation before may not have come to that
            async for loaded in loaded_receive:
                slice_end, slice_bytes, leaving = trio.current_time() + SLICE_SECONDS, 0, list[Event]()
                for event in loaded.events:
                    if self._publish(event) and isinstance(event, Event):
                        leaving.append(event)
                    slice_bytes += len(event.encoded)
                    if slice_bytes > SLICE_BYTES or trio.current_time() > slice_end:
                        await self._hand_over(loaded, leaving)
                        slice_end, slice_bytes, leaving = trio.current_time() + SLICE_SECONDS, 0, []
                await self._hand_over(loaded, leaving)

    async def _hand_over(self, loaded: Loaded, leaving: Sequence[Event]) -> None:
        await self._flush()
        if self._timer is not None and leaving:
            self._timer.handed_out(leaving, monotonic() - loaded.at)

    async def _flush(self) -> None:
        """Let leave what was offered, with turns for others in between."""
        await trio.lowlevel.checkpoint()
        while self._handout.is_due:
            slice_end = trio.current_time() + SLICE_SECONDS
            while self._handout.is_due and trio.current_time() < slice_end:
                self._let_leave(FLUSHED_AT_ONCE)
            await trio.lowlevel.checkpoint()

    def _let_leave(self, many: int | None = None) -> None:
        """Let leave what so many subscribers were offered; who reads too slowly is let go."""
        for subscriber in self._handout.leave(many):
            if subscriber in self._subscribers and subscriber.closing is not None:
                self._too_slow += subscriber.closing.code == CLOSE_TRY_AGAIN_LATER
                self._dismiss(subscriber)

    def close_nowait(self) -> None:
        """End every subscription: the service stops."""
        for subscriber in self._subscribers:
            subscriber.close_nowait(CLOSE_GOING_AWAY, "the service stops")

    def _dismiss(self, subscriber: Subscriber) -> None:
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)
            self._dropped += subscriber.dropped
            for wanted in subscriber.subscriptions:
                self.let_go(wanted)
