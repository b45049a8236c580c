"""The events of a batch, encoded once from the rows that were stored."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

import trio

from .. import wire
from ..messages import Event
from .rows import Stored


async def encode_events(stored: Sequence[Stored], first_offset: int) -> tuple[Event, ...]:
    """The events of ``stored`` in order; the first has ``first_offset``."""
    events: list[Event] = []
    for one in stored:
        part = one.part
        if not part.store_response:
            continue
        offset = first_offset + len(events)
        encoded = _encoded(one, offset)
        events.append(
            Event(
                offset=offset,
                event_id=part.extraction_id,
                type=part.event_type,
                connector_id=part.connector_id,
                timestamp=part.received_at,
                encoded=encoded,
            )
        )
        await trio.lowlevel.checkpoint()
    return tuple(events)


def _encoded(one: Stored, offset: int) -> bytes:
    part = one.part
    if part.kind == "message":
        return wire.encode_message(part.body, offset=offset, event_id=part.extraction_id, timestamp=part.received_at)
    by_items = part.event_type == "price_update"
    return wire.encode_event(
        kind=part.event_type,
        connector_id=part.connector_id,
        offset=offset,
        event_id=part.extraction_id,
        timestamp=part.received_at,
        data=wire.encode_items(_rows(one)) if by_items else part.body.removeprefix(codecs.BOM_UTF8),
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
