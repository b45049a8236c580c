"""Where a subscriber is in the log, and where each of its subscriptions begins. Pure: the seam of replay and live.

A subscriber has one place in the log: everything up to it was considered. It is either *live*, and is handed each event
when it is published, or *behind*, and reads the log until it has come to where live begins; then it joins, with nothing
between. All its subscriptions move together, so an event that several of them want is sent once, and in order; one that
was there before takes nothing twice, because it remembers where it was when the subscriber went back.
"""

from __future__ import annotations

from typing import Any

from .. import wire
from ..filtering import Filter
from ..messages import Event
from .fan_out_parcel import Parcel, Parcels
from .fan_out_unstored import Heard, stored_notices

Name = str | int | None


class Wanted:
    """One subscription: events behind ``after`` that ``filter`` wants. ``owner`` is the subscriber; without a ``name``
    it is not mentioned in events. ``heard`` says what it was sent without an offset."""

    __slots__ = ("after", "filter", "heard", "name", "owner", "suffix")

    def __init__(self, owner: Any, name: Name, wanted: Filter, after: int) -> None:
        self.owner = owner
        self.name = name
        self.filter = wanted
        self.after = after
        self.heard = Heard()
        self.suffix = subs_suffix([name])


class Place:
    """``is_live`` and ``offset`` say where a subscriber is; ``generation`` changes when it went elsewhere."""

    def __init__(self, owner: Any, offset: int) -> None:
        self._owner = owner
        self.offset = offset
        self.is_live = True
        self.generation = 0
        self.subscriptions: dict[str, Wanted] = {}

    def subscribe(self, name: Name, wanted: Filter, *, since: int | None, head: int) -> Wanted:
        """A subscription from ``since`` on, else to what follows; ``head`` is the last event that was published.

        It takes the place of one with that name. One with a name ends the stream of what nobody asked for by name.
        """
        if name is not None:
            self.subscriptions.pop(_key(None), None)
        begin = max(head, self.offset) if since is None else since
        here = self.at(head)
        if begin < here:
            for other in self.subscriptions.values():
                other.after = max(other.after, here)
            self.offset = begin
            self.is_live = False
            self.generation += 1
        subscription = self.subscriptions[_key(name)] = Wanted(self._owner, name, wanted, begin)
        return subscription

    def unsubscribe(self, name: Name) -> Wanted | None:
        """The subscription that ended; None when there is none with that name."""
        return self.subscriptions.pop(_key(name), None)

    def fall_behind(self, head: int) -> None:
        """What follows ``head`` was not published here: it is read from the log."""
        self.offset = self.at(head)
        self.is_live = False
        self.generation += 1

    def take(self, event: Event, parcels: Parcels, number: int | None) -> tuple[Parcel, bytes] | None:
        """The next event of the log while behind: what of it is wanted, and under which names.

        Of one that was sent before without an offset, as the ``number``-th, its offset is all that is wanted.
        """
        self.offset = event.offset
        wanted = [
            one
            for one in self.subscriptions.values()
            if event.offset > one.after and one.filter.passes(event.connector_id, event.type)
        ]
        if number is not None and merged(parcels, [one for one in wanted if one.heard.has(number)]) is not None:
            (notice,) = stored_notices([(event.event_id, event.offset)])
            return Parcel(notice), b""
        return merged(parcels, wanted)

    def skip_unwanted(self, head: int) -> None:
        """Nobody wants what is before the first beginning of a subscription; without any, nothing before ``head``."""
        self.pass_to(min((one.after for one in self.subscriptions.values()), default=head))

    def pass_to(self, offset: int) -> None:
        """There is nothing more up to here."""
        self.offset = max(self.offset, offset)

    def join(self, head: int) -> bool:
        """Become live, if everything that was published was considered."""
        if self.offset < head:
            return False
        self.is_live = True
        for one in self.subscriptions.values():
            one.after = max(one.after, self.offset)
        self.generation += 1
        return True

    def at(self, head: int) -> int:
        """Up to which offset everything was considered."""
        return max(self.offset, head) if self.is_live else self.offset


def merged(parcels: Parcels, wanted: list[Wanted]) -> tuple[Parcel, bytes] | None:
    """One event for several subscriptions of one subscriber: the symbols of all, under the names of all."""
    hits = [(one, parcel) for one in wanted if (parcel := parcels.trimmed_to(one.filter.symbols)) is not None]
    if not hits:
        return None
    if len(hits) == 1:
        return hits[0][1], hits[0][0].suffix
    filters = [one.filter.symbols for one, _ in hits]
    symbols = None if None in filters else frozenset().union(*(some for some in filters if some is not None))
    parcel = parcels.trimmed_to(symbols)
    assert parcel is not None
    return parcel, subs_suffix([one.name for one, _ in hits])


def subs_suffix(names: list[Name]) -> bytes:
    """What takes the place of the last brace of an event: the names of the subscriptions it is sent for."""
    named = [name for name in names if name is not None]
    return b',"subs":' + wire.encode(named) + b"}" if named else b""


def _key(name: Name) -> str:
    # A number and its digits are one name: what was asked for as 1 may be ended as "1".
    return "" if name is None else f"={name}"
