"""What waits for one subscriber: a parcel that is shared, and what this subscriber alone knows of it. Pure."""

from __future__ import annotations

from .fan_out_parcel import Parcel

# What an event takes beside its bytes while it waits.
ENTRY_OVERHEAD = 256


class Entry:
    """``size`` is what it takes while it waits. ``place`` is where it stands in its queue."""

    __slots__ = ("_left", "is_reply", "parcel", "place", "size", "suffix")

    def __init__(self, parcel: Parcel, suffix: bytes, *, is_reply: bool = False) -> None:
        self.parcel = parcel
        self.suffix = suffix
        self.size = parcel.size if is_reply else parcel.size + len(suffix) + ENTRY_OVERHEAD
        self.is_reply = is_reply
        self.place = 0
        self._left: dict[str, None] | None = None  # the symbols that are left; None: all

    @property
    def is_spent(self) -> bool:
        """Whether nothing of it is left."""
        return self._left is not None and not self._left

    def lose(self, symbol: str) -> int:
        """Its items of ``symbol`` are superseded (of what has no items: all of it); returns how many bytes it lost."""
        if self._left is None:
            self._left = dict.fromkeys(self.parcel.weights)
        self._left.pop(symbol, None)
        saved = self.parcel.weights.get(symbol, 0)
        self.size -= saved
        return saved

    def text(self) -> bytes:
        """What leaves."""
        body = self.parcel.body if self._left is None else self.parcel.trimmed(self._left)
        return body[:-1] + self.suffix if self.suffix else body
