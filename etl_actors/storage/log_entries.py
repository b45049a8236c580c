"""What an entry of the log says about the rows it is made of. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct

# A body is stored compressed: so many bytes of JSON are expected of one stored byte, and so many of an item beside
# what it repeats of the body.
EXPANSION = 8
ITEM_BYTES = 400

_OF_CONNECTORS = frozenset({"price_update", "data_update"})


class Entry(Struct, frozen=True):
    """One entry. ``data`` is the body of an event that has no rows (a notice), as JSON."""

    offset: int
    event_id: UUID
    type: str
    connector_id: str
    timestamp: datetime
    response_id: int | None
    frame_id: int | None
    first_item: int | None
    last_item: int | None
    data: bytes | None

    @property
    def is_message(self) -> bool:
        """Whether a client said it: what is in the frames' table and is no event of a connector."""
        return self.frame_id is not None and self.type not in _OF_CONNECTORS

    @property
    def needs_body(self) -> bool:
        """Whether the event is its body."""
        return self.type != "price_update"

    @property
    def most_items(self) -> int:
        """How many items it has at most; ids have gaps."""
        return 0 if self.first_item is None or self.last_item is None else self.last_item - self.first_item + 1


def choose_fitting(entries: list[Entry], stored_bytes: Mapping[int, int], max_bytes: int) -> list[Entry]:
    """The first of ``entries`` that are expected to take ``max_bytes`` together, but one at least.

    ``stored_bytes`` tells, by offset, how many bytes a body takes where it is stored.
    """
    left = max_bytes
    for place, entry in enumerate(entries):
        left -= _expected_bytes(entry, stored_bytes.get(entry.offset, 0))
        if left < 0:
            return entries[: max(place, 1)]
    return entries


def _expected_bytes(entry: Entry, stored: int) -> int:
    # Items repeat parts of the body they were mapped from.
    return EXPANSION * stored + ITEM_BYTES * (1 + entry.most_items) + len(entry.data or b"")


def has_lost_rows(entry: Entry, bodies: Container[int], items: Container[int]) -> bool:
    """Whether what the event is made of is not there any more. ``bodies`` and ``items`` hold the offsets of the others.

    The items of an entry have one time and so lie in one partition: they are all there, or none is.
    """
    if entry.needs_body:
        return entry.offset not in bodies
    return entry.first_item is not None and entry.offset not in items
