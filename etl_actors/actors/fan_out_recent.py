"""The newest events, kept for those who come back after a moment: they are caught up without asking the log. Pure.

Without holes: when an offset is missing, what was kept before it is forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from ..messages import Event

# What an event takes beside its bytes.
_EVENT_OVERHEAD = 500


class RecentEvents:
    """At most ``max_bytes`` of them."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._events: deque[Event] = deque()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """How much they take."""
        return self._bytes

    def add(self, event: Event) -> None:
        """The event that was published last."""
        if self._events and event.offset != self._events[-1].offset + 1:
            self._events.clear()
            self._bytes = 0
        self._events.append(event)
        self._bytes += _weight(event)
        while self._bytes > self._max_bytes:
            self._bytes -= _weight(self._events.popleft())

    def reaches(self, offset: int) -> bool:
        """Whether all that follows ``offset`` is here."""
        return bool(self._events) and offset >= self._events[0].offset - 1

    def after(self, offset: int, *, limit: int, max_bytes: int) -> Sequence[Event] | None:
        """The events behind ``offset``, at least one if there is one; None when they do not reach back so far."""
        if not self.reaches(offset):
            return None
        begin = offset + 1 - self._events[0].offset
        page: list[Event] = []
        size = 0
        for event in islice(self._events, begin, begin + limit):
            size += len(event.encoded)
            if page and size > max_bytes:
                break
            page.append(event)
        return page


def _weight(event: Event) -> int:
    # The items are there twice, in the whole and one by one.
    return 2 * len(event.encoded) + _EVENT_OVERHEAD
