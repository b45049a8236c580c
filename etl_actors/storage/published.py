"""The events of the log as they leave: encoded once when a batch is stored, and the same way when it is read back."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

import trio

from .. import wire
from ..messages import Event, Transformed, Unstored
from .rows import Stored

# So many items are encoded without looking up: some milliseconds.
SLICE_ITEMS = 500

Pieces = tuple[tuple[str, bytes], ...]


async def encode_events(stored: Sequence[Stored], first_offset: int) -> tuple[Event, ...]:
    """The events of ``stored`` in order; the first has ``first_offset``."""
    events: list[Event] = []
    for one in stored:
        if one.part.store_response:
            pieces = await _pieces(one.part, one.item_ids)
            events.append(make_event(offset=first_offset + len(events), **_told(one.part, pieces)))
            await trio.lowlevel.checkpoint()
    return tuple(events)


async def encode_unstored(parts: Sequence[Transformed]) -> tuple[Unstored, ...]:
    """What subscribers are sent of ``parts`` before these are stored: no offset, and no ids of rows."""
    events: list[Unstored] = []
    for part in parts:
        if part.store_response:
            items = await _pieces(part, [None] * len(part.items))
            events.append(
                Unstored(
                    event_id=part.extraction_id,
                    type=part.event_type,
                    connector_id=part.connector_id,
                    timestamp=part.received_at,
                    encoded=_encoded(offset=None, **_told(part, items)),
                    items=items,
                )
            )
            await trio.lowlevel.checkpoint()
    return tuple(events)


def make_event(
    *,
    offset: int,
    event_id: UUID,
    kind: str,
    connector_id: str,
    timestamp: datetime,
    items: Pieces,
    body: bytes,
    is_message: bool,
) -> Event:
    """One event. ``kind`` is its type; of a ``price_update`` its ``items`` are what is sent, of all others ``body``.

    ``is_message`` says that a client said it: it goes out as it came, with its place added.
    """
    encoded = _encoded(
        offset=offset,
        event_id=event_id,
        kind=kind,
        connector_id=connector_id,
        timestamp=timestamp,
        items=items,
        body=body,
        is_message=is_message,
    )
    return Event(
        offset=offset,
        event_id=event_id,
        type=kind,
        connector_id=connector_id,
        timestamp=timestamp,
        encoded=encoded,
        items=items,
    )


def _encoded(
    *,
    offset: int | None,
    event_id: UUID,
    kind: str,
    connector_id: str,
    timestamp: datetime,
    items: Pieces,
    body: bytes,
    is_message: bool,
) -> bytes:
    if is_message:
        return wire.encode_message(body, offset=offset, event_id=event_id, timestamp=timestamp)
    return wire.encode_event(
        kind=kind,
        connector_id=connector_id,
        offset=offset,
        event_id=event_id,
        timestamp=timestamp,
        data=wire.join_items(piece for _, piece in items) if kind == "price_update" else body,
    )


def _told(part: Transformed, items: Pieces) -> dict[str, Any]:
    return {
        "event_id": part.extraction_id,
        "kind": part.event_type,
        "connector_id": part.connector_id,
        "timestamp": part.received_at,
        "items": items,
        "body": part.body.removeprefix(codecs.BOM_UTF8),
        "is_message": part.kind == "message",
    }


async def _pieces(part: Transformed, item_ids: Sequence[int | None]) -> Pieces:
    return await item_pieces(_rows(part, item_ids)) if part.event_type == "price_update" else ()


async def item_pieces(rows: Iterable[wire.ItemRow]) -> Pieces:
    """Each item as ``(symbol in upper case, its JSON text)``, a slice at a time."""
    pieces: list[tuple[str, bytes]] = []
    rest = iter(rows)
    while some := tuple(islice(rest, SLICE_ITEMS)):
        pieces.extend(wire.item_pieces(some))
        await trio.lowlevel.checkpoint()
    return tuple(pieces)


def _rows(part: Transformed, item_ids: Sequence[int | None]) -> Iterator[wire.ItemRow]:
    timestamp = wire.iso_time(part.received_at)
    for row_id, item in zip(item_ids, part.items, strict=True):
        yield wire.item_row(
            item,
            row_id=row_id,
            connector_id=part.connector_id,
            api_name=part.api_name,
            exchange=part.exchange,
            timestamp=timestamp,
            response_time_ms=part.response_time_ms,
        )
