"""Which entry of a queue has what is newest of each connector and symbol. Pure.

It costs something for every event, so a queue begins with it only when its reader is too slow, and ends it when the
reader has caught up. Most events say all anew that the one before them said; what that costs does not grow with their
symbols, as far as Python can help it.
"""

from __future__ import annotations

from collections.abc import Iterator

from .fan_out_parcel import Topic
from .subscription_entry import Entry


class Conflation:
    """Told of the entries in their order."""

    def __init__(self) -> None:
        self._newest: dict[Topic, dict[str, Entry]] = {}

    def supersede(self, entry: Entry) -> Iterator[tuple[Entry, int]]:
        """``entry`` is the newest of its symbols; yields the entries that lost some to it, and how many bytes."""
        topic, symbols = entry.parcel.topic, entry.parcel.weights
        if topic is None:
            return
        newest = self._newest.setdefault(topic, {})
        before = newest.get(next(iter(symbols)))
        if before is not None and before.is_newest and before.left == symbols.keys() and _is_newer(entry, before):
            newest.update(dict.fromkeys(symbols, entry))
            before.lose_all()
            yield before, 0
            return
        for symbol in symbols:
            older = newest.get(symbol)
            if older is not None and not _is_newer(entry, older):
                entry.is_newest = False  # replayed for another subscription of the same reader
                continue
            newest[symbol] = entry
            if older is not None:
                yield older, older.lose(symbol)

    def forget(self, entry: Entry) -> None:
        """It left."""
        if entry.parcel.topic is None:
            return
        newest = self._newest.get(entry.parcel.topic, {})
        for symbol in entry.left:
            if newest.get(symbol) is entry:
                del newest[symbol]


def _is_newer(entry: Entry, older: Entry) -> bool:
    one, other = entry.parcel.offset, older.parcel.offset
    return one is None or other is None or one > other
