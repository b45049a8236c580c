"""The events of a batch, encoded once from the rows that were stored."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

import trio

from .. import wire
from ..messages import Event, Transformed
from .rows import Stored


async def encode_events(stored: Sequence[Stored], first_offset: int) -> tuple[Event, ...]:
    """The events of ``stored`` in order; the first has ``first_offset``."""
    events: list[Event] = []
    for one in stored:
        part = one.part
        if not part.store_response:
            continue
        offset = first_offset + len(events)
        items = wire.item_pieces(_rows(one)) if part.event_type == "price_update" else ()
        events.append(
            Event(
                offset=offset,
                event_id=part.extraction_id,
                type=part.event_type,
                connector_id=part.connector_id,
                timestamp=part.received_at,
                encoded=_encoded(part, offset, items),
                items=items,
            )
        )
        await trio.lowlevel.checkpoint()
    return tuple(events)


def _encoded(part: Transformed, offset: int, items: tuple[tuple[str, bytes], ...]) -> bytes:
    if part.kind == "message":
        return wire.encode_message(part.body, offset=offset, event_id=part.extraction_id, timestamp=part.received_at)
    by_items = part.event_type == "price_update"
    body = part.body.removeprefix(codecs.BOM_UTF8)
    return wire.encode_event(
        kind=part.event_type,
        connector_id=part.connector_id,
        offset=offset,
        event_id=part.extraction_id,
        timestamp=part.received_at,
        data=wire.join_items(piece for _, piece in items) if by_items else body,
    )


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
