"""The events of the log as they leave: encoded once when a batch is stored, and the same way when it is read back."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import trio

from .. import wire
from ..messages import Event
from .rows import Stored

# So many items are encoded without looking up: some milliseconds.
SLICE_ITEMS = 500

Pieces = tuple[tuple[str, bytes], ...]


async def encode_events(stored: Sequence[Stored], first_offset: int) -> tuple[Event, ...]:
    """The events of ``stored`` in order; the first has ``first_offset``."""
    events: list[Event] = []
    for one in stored:
        part = one.part
        if not part.store_response:
            continue
        events.append(
            make_event(
                offset=first_offset + len(events),
                event_id=part.extraction_id,
                kind=part.event_type,
                connector_id=part.connector_id,
                timestamp=part.received_at,
                items=await item_pieces(_rows(one)) if part.event_type == "price_update" else (),
                body=part.body.removeprefix(codecs.BOM_UTF8),
                is_message=part.kind == "message",
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
    if is_message:
        encoded = wire.encode_message(body, offset=offset, event_id=event_id, timestamp=timestamp)
    else:
        encoded = wire.encode_event(
            kind=kind,
            connector_id=connector_id,
            offset=offset,
            event_id=event_id,
            timestamp=timestamp,
            data=wire.join_items(piece for _, piece in items) if kind == "price_update" else body,
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


async def item_pieces(rows: Sequence[wire.ItemRow]) -> Pieces:
    """Each item as ``(symbol in upper case, its JSON text)``, a slice at a time."""
    pieces: list[tuple[str, bytes]] = []
    for start in range(0, len(rows), SLICE_ITEMS):
        pieces.extend(wire.item_pieces(rows[start : start + SLICE_ITEMS]))
        await trio.lowlevel.checkpoint()
    return tuple(pieces)


def _rows(one: Stored) -> list[wire.ItemRow]:
    part, timestamp = one.part, wire.iso_time(one.part.received_at)
    return [
        wire.item_row(
            item,
            row_id=row_id,
            connector_id=part.connector_id,
            api_name=part.api_name,
            exchange=part.exchange,
            timestamp=timestamp,
            response_time_ms=part.response_time_ms,
        )
        for row_id, item in zip(one.item_ids, part.items, strict=True)
    ]
