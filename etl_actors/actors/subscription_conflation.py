"""Which entry of a queue has what is newest of each connector and symbol. Pure.

It costs something for every symbol of every event, so a queue begins with it only when its reader is too slow, and ends
it when the reader has caught up.
"""

from __future__ import annotations

from collections.abc import Iterator

from .fan_out_parcel import Key
from .subscription_entry import Entry


class Conflation:
    """Told of the entries in their order."""

    def __init__(self) -> None:
        self._newest: dict[Key, Entry] = {}

    def supersede(self, entry: Entry) -> Iterator[tuple[Entry, int]]:
        """``entry`` is the newest of its keys; yields the entries that lost some to it, and how many bytes."""
        for key in entry.parcel.keys:
            older = self._newest.get(key)
            if older is not None and not _is_newer(entry, older):
                continue  # replayed for another subscription of the same reader
            self._newest[key] = entry
            if older is not None:
                yield older, older.lose(key[2])

    def forget(self, entry: Entry) -> None:
        """It left."""
        for key in entry.parcel.keys:
            if self._newest.get(key) is entry:
                del self._newest[key]


def _is_newer(entry: Entry, older: Entry) -> bool:
    one, other = entry.parcel.offset, older.parcel.offset
    return one is None or other is None or one > other
