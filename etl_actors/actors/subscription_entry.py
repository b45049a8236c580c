"""What waits for one subscriber: a parcel that is shared, and what this subscriber alone knows of it. Pure."""

from __future__ import annotations

from collections.abc import Set

from .fan_out_parcel import Parcel

# What an event takes beside its bytes while it waits.
ENTRY_OVERHEAD = 256


class Entry:
    """``size`` is what it takes while it waits. ``place`` is where it stands in its queue. ``is_newest``: of
    none of the symbols that are left of it has another entry something newer."""

    __slots__ = ("_left", "is_newest", "is_reply", "parcel", "place", "size", "suffix")

    def __init__(self, parcel: Parcel, suffix: bytes, *, is_reply: bool = False) -> None:
        self.parcel = parcel
        self.suffix = suffix
        self.size = parcel.size if is_reply else parcel.size + len(suffix) + ENTRY_OVERHEAD
        self.is_reply = is_reply
        self.is_newest = True
        self.place = 0
        self._left: set[str] | None = None  # None: all

    @property
    def left(self) -> Set[str]:
        """The symbols that are left of it."""
        return self.parcel.weights.keys() if self._left is None else self._left

    @property
    def is_spent(self) -> bool:
        """Whether nothing of it is left."""
        return self._left is not None and not self._left

    def lose(self, symbol: str) -> int:
        """Its items of ``symbol`` are superseded (of what has no items: all of it); returns how many bytes it lost."""
        weights = self.parcel.weights
        if self._left is None:
            self._left = set(weights)
        self._left.discard(symbol)
        self.size -= weights[symbol]
        return weights[symbol]

    def lose_all(self) -> None:
        """All that is left of it is superseded."""
        self._left = set()

    def text(self) -> bytes:
        """What leaves."""
        body = self.parcel.body if self._left is None else self.parcel.trimmed(self._left)
        return body[:-1] + self.suffix if self.suffix else body
