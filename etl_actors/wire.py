"""How stored things look when they leave: the same bytes live, replayed and over REST.

Numbers leave as JSON numbers with every digit they came with, times as ISO 8601 in UTC with ``Z``. A row is encoded
once; everything that sends it afterwards joins bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from .messages import Item

_encode = msgspec.json.Encoder().encode

Digits = Annotated[Raw, Meta(extra_json_schema={"type": "number"})]
"""A JSON number with every digit it came with."""
JsonObject = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]
"""The text of a JSON object."""
Timestamp = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""A time as :func:`iso_time` writes it."""

_ITEMS_BEGIN = b',"data":{"items":['

# What a spreadsheet takes for the beginning of a formula; the wide forms where East Asian input is expected.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class ItemRow(Struct, frozen=True, kw_only=True, gc=False):
    """One coin or pair as a connector reported it at one moment."""

    # What is Raw is JSON text already. What is not stored yet has no id.
    id: int | None
    connector_id: str
    api_name: str
    exchange: str | None
    coin_name: str | None
    coin_symbol: str | None
    quote_symbol: str | None
    price: Digits | None
    market_cap: Digits | None
    volume_24h: Digits | None
    price_change_24h: Digits | None
    market_cap_rank: int | None
    timestamp: Timestamp
    response_time_ms: int | None
    extra: JsonObject | None


class ResponseRow(Struct, frozen=True, kw_only=True):
    """A response as it was received: ``response_data`` is its body."""

    id: int
    connector_id: str
    stream_offset: int | None
    response_data: Raw
    timestamp: Timestamp
    response_time_ms: int | None


def raw_number(text: str | None) -> Raw | None:
    """A decimal text as the JSON number it is."""
    return None if text is None else Raw(text.encode("ascii"))


def raw_json(text: str | None) -> Raw | None:
    """A JSON text as the value it is."""
    return None if text is None else Raw(text.encode())


def spreadsheet_safe(text: str) -> str:
    """A text for a cell of CSV: one that a spreadsheet would take for a formula is preceded by an apostrophe."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def iso_time(moment: datetime) -> str:
    """``2025-12-08T16:00:00.123456Z``; the fraction is left out when it is zero."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def item_row(
    item: Item,
    *,
    row_id: int | None,
    connector_id: str,
    api_name: str,
    exchange: str,
    timestamp: str,
    response_time_ms: int,
) -> ItemRow:
    """The row that :class:`~etl_actors.messages.Item` becomes."""
    return ItemRow(
        id=row_id,
        connector_id=connector_id,
        api_name=api_name,
        exchange=exchange or None,
        coin_name=item.coin_name,
        coin_symbol=item.coin_symbol,
        quote_symbol=item.quote_symbol,
        price=raw_number(item.price),
        market_cap=raw_number(item.market_cap),
        volume_24h=raw_number(item.volume_24h),
        price_change_24h=raw_number(item.price_change_24h),
        market_cap_rank=item.market_cap_rank,
        timestamp=timestamp,
        response_time_ms=response_time_ms,
        extra=raw_json(item.extra),
    )


def encode(value: Any) -> bytes:
    """JSON bytes of plain values, structs and :class:`msgspec.Raw`."""
    return _encode(value)


def item_pieces(rows: Iterable[ItemRow]) -> tuple[tuple[str, bytes], ...]:
    """Each item as ``(symbol in upper case, its JSON text)``."""
    return tuple(((row.coin_symbol or "").upper(), _encode(row)) for row in rows)


def join_items(pieces: Iterable[bytes]) -> bytes:
    """The ``data`` of a ``price_update``."""
    return b'{"items":[' + b",".join(pieces) + b"]}"


def encode_event(
    *, kind: str, connector_id: str, offset: int | None, event_id: UUID, timestamp: datetime, data: bytes
) -> bytes:
    """One event of the log as it leaves on ``/ws``; ``kind`` is its type, ``data`` is JSON already."""
    head = _encode({"type": kind, "connector_id": connector_id, "offset": offset, "id": str(event_id)})
    return head[:-1] + b',"data":' + data + b',"timestamp":"' + iso_time(timestamp).encode() + b'"}'


def around_items(encoded: bytes, pieces: Iterable[bytes]) -> tuple[bytes, bytes]:
    """What is before and behind the items of an encoded ``price_update`` that has exactly these ``pieces``."""
    # Nothing before this can hold an unescaped quote.
    begin = encoded.index(_ITEMS_BEGIN) + len(_ITEMS_BEGIN)
    lengths = [len(piece) for piece in pieces]
    return encoded[:begin], encoded[begin + sum(lengths) + max(len(lengths) - 1, 0) :]


def encode_message(message: bytes, *, offset: int | None, event_id: UUID, timestamp: datetime) -> bytes:
    """An application message of a client, a JSON object, with its place in the log added.

    It has no ``subs`` of its own: each subscriber is told there for which of its subscriptions it comes.
    """
    said = msgspec.json.decode(message, type=dict[str, Raw])
    said.pop("subs", None)
    said |= {
        "offset": Raw(_encode(offset)),
        "id": Raw(_encode(str(event_id))),
        "timestamp": Raw(_encode(iso_time(timestamp))),
    }
    return _encode(said)
