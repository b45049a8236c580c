"""Which events were sent before they had an offset, and who was sent them. Pure.

While the database is away events leave at once, without an offset; when they are stored they get one. Whoever was sent
such an event is told its offset then; everybody else is sent the event. To know that, they are numbered in the order in
which they left, and each subscription remembers while which of them it was live.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from uuid import UUID

from .. import wire

# The ids of so many are known; older ones are sent again when they are stored.
MOST_REMEMBERED = 100_000
_MOST_SPANS = 16
_EVENTS_A_NOTICE = 500


class SentUnstored:
    """Events that left without an offset; ``count`` of them so far."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self.count = 0
        self._most = most
        self._numbers: OrderedDict[UUID, int] = OrderedDict()

    def note(self, event_id: UUID) -> None:
        """One more leaves."""
        self.count += 1
        self._numbers[event_id] = self.count
        if len(self._numbers) > self._most:
            self._numbers.popitem(last=False)

    def number_of(self, event_id: UUID) -> int | None:
        """Which one it was; None for one that did not leave so."""
        return self._numbers.get(event_id)


class Heard:
    """While which of them a subscription was live."""

    __slots__ = ("_spans",)

    def __init__(self) -> None:
        self._spans: list[tuple[int, int | None]] = []

    def begin(self, count: int) -> None:
        """It is live, after so many."""
        if self._spans and self._spans[-1][1] == count:
            self._spans[-1] = (self._spans[-1][0], None)
        else:
            self._spans = [*self._spans[1 - _MOST_SPANS :], (count, None)]

    def end(self, count: int) -> None:
        """It is not, any more."""
        if self._spans and self._spans[-1][1] is None:
            self._spans[-1] = (self._spans[-1][0], count)

    def has(self, number: int) -> bool:
        """Whether it was sent that one, if it wanted it."""
        return any(first < number and (last is None or number <= last) for first, last in self._spans)


def stored_notices(stored: Sequence[tuple[UUID, int]]) -> Iterator[bytes]:
    """What is said of events that are stored now: the offset of each id."""
    for start in range(0, len(stored), _EVENTS_A_NOTICE):
        events = [{"id": str(event_id), "offset": at} for event_id, at in stored[start : start + _EVENTS_A_NOTICE]]
        yield wire.encode({"type": "stored", "data": {"events": events}})
