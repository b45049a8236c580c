"""Handing events out: offering each to whom it concerns, and letting what was offered leave. Nothing here waits."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from ..messages import Event, Unstored
from .fan_out import FanOut
from .fan_out_parcel import Parcel, Parcels
from .fan_out_unstored import SentUnstored, stored_notices
from .subscriber import Subscriber
from .subscription_place import Wanted, merged


class Handout:
    """Knows the subscriptions that are live, and who was offered something that has not left."""

    def __init__(self) -> None:
        self._index: FanOut[Wanted] = FanOut()
        self._unstored = SentUnstored()
        self._stored: dict[Subscriber, list[tuple[UUID, int]]] = {}  # to be told the offsets of these events
        self._stirred: dict[Subscriber, None] = {}

    @property
    def is_due(self) -> bool:
        """Whether anything has not left."""
        return bool(self._stirred or self._stored)

    def take_in(self, wanted: Wanted) -> None:
        """A subscription that is live."""
        self._index.add(wanted.filter, wanted)
        wanted.heard.begin(self._unstored.count)

    def let_go(self, wanted: Wanted) -> None:
        """One that is not, any more."""
        self._index.remove(wanted.filter, wanted)
        wanted.heard.end(self._unstored.count)

    def unstored_number(self, event_id: UUID) -> int | None:
        """Which of the events that were sent without an offset it was, if it was one of those that are remembered."""
        return self._unstored.number_of(event_id)

    def offer(self, subscriber: Subscriber, parcel: Parcel, suffix: bytes = b"") -> None:
        """To one subscriber."""
        subscriber.offer_nowait(parcel, suffix)
        self._stirred[subscriber] = None

    def offer_unstored(self, event: Unstored) -> None:
        """To everybody who wants it; its offset is told when it has one."""
        self._unstored.note(event.event_id)
        for subscriber, parcel, suffix, _ in self._reached(event):
            self.offer(subscriber, parcel, suffix)

    def offer_event(self, event: Event) -> None:
        """To everybody who wants it, and was not sent it before it had an offset: those are to be told that."""
        number = self._unstored.settle(event.event_id)
        for subscriber, parcel, suffix, hits in self._reached(event):
            if number is not None and any(one.heard.has(number) for one in hits):
                self._stored.setdefault(subscriber, []).append((event.event_id, event.offset))
            else:
                self.offer(subscriber, parcel, suffix)
                if not event.connector_id:
                    subscriber.note_message(event.offset)

    def leave(self, many: int | None = None) -> list[Subscriber]:
        """Let leave what ``many`` subscribers were offered (None: all of them); returns those that are to be let go."""
        self._tell_stored()
        closing: list[Subscriber] = []
        for _ in range(len(self._stirred) if many is None else min(many, len(self._stirred))):
            subscriber, _ = self._stirred.popitem()
            subscriber.flush_nowait()
            if subscriber.closing is not None:
                closing.append(subscriber)
        return closing

    def _reached(self, event: Event | Unstored) -> Iterator[tuple[Subscriber, Parcel, bytes, tuple[Wanted, ...]]]:
        """Whom an event concerns, what of it, and because of which subscriptions."""
        parcels = Parcels(event)
        several: dict[Subscriber, list[Wanted]] = {}
        for parcel, members in self._index.matches(event, parcels):
            for wanted in members:
                subscriber: Subscriber = wanted.owner
                if event.offset is not None and event.offset <= wanted.after:
                    continue
                if subscriber.has_several:
                    several.setdefault(subscriber, []).append(wanted)
                else:
                    yield subscriber, parcel, wanted.suffix, (wanted,)
        for subscriber, hits in several.items():
            hand = merged(parcels, [one for one in subscriber.subscriptions if one in hits])
            if hand is not None:
                yield subscriber, *hand, tuple(hits)

    def _tell_stored(self) -> None:
        """Offer the notices that are due; those who were sent the same share the bytes."""
        made: dict[tuple[tuple[UUID, int], ...], list[Parcel]] = {}
        for subscriber, stored in self._stored.items():
            told = tuple(stored)
            if told not in made:
                made[told] = [Parcel(notice) for notice in stored_notices(told)]
            for parcel in made[told]:
                self.offer(subscriber, parcel)
        self._stored.clear()
