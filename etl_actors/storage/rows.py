"""The rows of a batch, as COPY takes them. Numbers go in as the text they came as: NUMERIC keeps every digit."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection

from ..messages import Gap, Rejected, Transformed
from .large_rows import Text, write_row

_ITEM_COLUMNS = (
    "COPY api_connector_items (id, connector_id, api_name, exchange, coin_name, coin_symbol, quote_symbol, price,"
    " market_cap, volume_24h, price_change_24h, market_cap_rank, timestamp, response_time_ms, extra) FROM STDIN"
)
_RESPONSE_COLUMNS = (
    "COPY api_connector_data (id, connector_id, response_data, timestamp, response_time_ms, extraction_id) FROM STDIN"
)
_FRAME_COLUMNS = "COPY websocket_data (id, message_type, data, timestamp, connector_id, extraction_id) FROM STDIN"
_GAP_COLUMNS = "COPY gaps (connector_id, key, first_missing, last_missing, timestamp, event_id) FROM STDIN"
_REJECTED_COLUMNS = (
    "COPY rejected (connector_id, raw, reason, place, timestamp, extraction_id, kind, position, response_time_ms,"
    " fingerprint) FROM STDIN"
)


class Stored(msgspec.Struct, frozen=True):
    """The ids that the rows of one extraction got: ``row_id`` of its response or frame, ``item_ids`` in the order of
    its items."""

    part: Transformed
    row_id: int | None
    item_ids: Sequence[int]


def rows_by_table(part: Transformed) -> dict[str, int]:
    """How many rows an extraction adds to each table."""
    return {
        "api_connector_data": int(part.store_response and part.kind == "response"),
        "websocket_data": int(part.store_response and part.kind in {"frame", "message"}),
        "api_connector_items": len(part.items),
        "rejected": len(part.rejected),
        "gaps": int(_is_gap(part)),
    }


async def copy_rows(connection: AsyncConnection[Any], stored: Sequence[Stored]) -> None:
    """Copy responses, frames, items, gaps and rejected payloads, inside the transaction of the caller."""
    async with connection.cursor() as cursor:
        responses = [one for one in stored if one.row_id is not None and one.part.kind == "response"]
        if responses:
            async with cursor.copy(_RESPONSE_COLUMNS) as copy:
                for one in responses:
                    await write_row(copy, _response_row(one))
        frames = [one for one in stored if one.row_id is not None and one.part.kind in {"frame", "message"}]
        if frames:
            async with cursor.copy(_FRAME_COLUMNS) as copy:
                for one in frames:
                    await write_row(copy, _frame_row(one))
        await copy_items(connection, stored)
        gaps = [one.part for one in stored if _is_gap(one.part)]
        if gaps:
            async with cursor.copy(_GAP_COLUMNS) as copy:
                for part in gaps:
                    await copy.write_row(_gap_row(part))
        if any(one.part.rejected for one in stored):
            async with cursor.copy(_REJECTED_COLUMNS) as copy:
                for one in stored:
                    for refused in one.part.rejected:
                        await write_row(copy, _rejected_row(refused, one.part))


async def copy_items(connection: AsyncConnection[Any], stored: Sequence[Stored]) -> None:
    """Copy the items alone, inside the transaction of the caller."""
    if any(one.part.items for one in stored):
        async with connection.cursor() as cursor, cursor.copy(_ITEM_COLUMNS) as copy:
            for one in stored:
                await _copy_items(copy, one)


def _is_gap(part: Transformed) -> bool:
    return part.kind == "notice" and part.message_type == "gap" and part.store_response


def _gap_row(part: Transformed) -> tuple[Any, ...]:
    gap = msgspec.json.decode(part.body, type=Gap)
    return part.connector_id, gap.key, gap.first, gap.last, part.received_at.isoformat(), part.extraction_id.hex


def _rejected_row(refused: Rejected, part: Transformed) -> tuple[Any, ...]:
    return (
        refused.connector_id,
        refused.raw,
        refused.reason.replace("\0", "\ufffd"),
        refused.where.replace("\0", "\ufffd"),
        refused.received_at.isoformat(),
        part.extraction_id.hex,
        refused.kind,
        refused.position,
        refused.response_time_ms,
        refused.fingerprint or None,
    )


def _response_row(one: Stored) -> tuple[Any, ...]:
    part = one.part
    text, at = _text(part.body), part.received_at.isoformat()
    return one.row_id, part.connector_id, text, at, part.response_time_ms, part.extraction_id.hex


def _frame_row(one: Stored) -> tuple[Any, ...]:
    part = one.part
    text, at = _text(part.body), part.received_at.isoformat()
    return one.row_id, part.message_type, text, at, part.connector_id or None, part.extraction_id.hex


def _text(body: bytes) -> Text:
    return Text(body.removeprefix(codecs.BOM_UTF8))


async def _copy_items(copy: psycopg.AsyncCopy, one: Stored) -> None:
    part = one.part
    received, elapsed, exchange = part.received_at.isoformat(), part.response_time_ms, part.exchange or None
    for row_id, item in zip(one.item_ids, part.items, strict=True):
        await copy.write_row(
            (
                row_id,
                part.connector_id,
                part.api_name,
                exchange,
                item.coin_name,
                item.coin_symbol,
                item.quote_symbol,
                item.price,
                item.market_cap,
                item.volume_24h,
                item.price_change_24h,
                item.market_cap_rank,
                received,
                elapsed,
                item.extra,
            )
        )
