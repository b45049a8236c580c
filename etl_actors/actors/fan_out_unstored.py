"""Which events were sent before they had an offset, and who was sent them. Pure.

While the database is away events leave at once, without an offset; when they are stored they get one. Whoever was sent
such an event is told its offset then; everybody else is sent the event. To know that, they are numbered in the order in
which they left, and each subscription remembers while which of them it was live.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from uuid import UUID

from .. import wire

# The ids of so many are known that wait to be stored; older ones are sent again then.
MOST_REMEMBERED = 100_000
# Whoever reads the log may come to an event some time after it was stored. So long it is known at least, and not more
# than twice as long: otherwise each outage would leave its ids here for good.
REMEMBERED_SECONDS = 600.0
_MOST_SPANS = 16
_EVENTS_A_NOTICE = 500


class SentUnstored:
    """Events that left without an offset; ``count`` of them so far. At most ``most`` that wait to be stored are known,
    and those that are stored for ``seconds`` by the ``clock``, or a little longer.
    """

    def __init__(
        self,
        most: int = MOST_REMEMBERED,
        *,
        seconds: float = REMEMBERED_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.count = 0
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._waiting: OrderedDict[UUID, int] = OrderedDict()
        self._stored: dict[UUID, int] = {}
        self._stored_before: dict[UUID, int] = {}
        self._turned = clock()

    def __len__(self) -> int:
        """How many are known."""
        return len(self._waiting) + len(self._stored) + len(self._stored_before)

    def note(self, event_id: UUID) -> None:
        """One more leaves."""
        self.count += 1
        self._waiting[event_id] = self.count
        if len(self._waiting) > self._most:
            self._waiting.popitem(last=False)

    def settle(self, event_id: UUID) -> int | None:
        """It is stored now; returns which one it was, as :meth:`number_of` does from now on, for a while."""
        self._turn()
        number = self._waiting.pop(event_id, None)
        if number is not None:
            self._stored[event_id] = number
        return number

    def number_of(self, event_id: UUID) -> int | None:
        """Which one it was; None for one that did not leave so, or is not known any more."""
        for known in (self._waiting, self._stored, self._stored_before):
            if (number := known.get(event_id)) is not None:
                return number
        return None

    def _turn(self) -> None:
        now = self._clock()
        if now - self._turned >= self._seconds:
            both_old = now - self._turned >= 2 * self._seconds
            self._stored, self._stored_before = {}, {} if both_old else self._stored
            self._turned = now


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
