"""Reads what the loader wrote, for REST. Rows come ready to be encoded; numbers are texts all the way."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any
from uuid import UUID

import trio
from msgspec import Raw, Struct
from msgspec.structs import replace
from psycopg import AsyncConnection

from .. import wire
from ..paging import Key, Page, Total
from .pool import Pool
from .queries import (
    COUNT_BOUND,
    Statement,
    count_bounded,
    select_items,
    select_items_by_key,
    select_response_keys,
)
from .translation import translated

SLICE_ROWS = 500
EXPORT_ROWS = 2_000


class ItemPage(Struct, frozen=True):
    """Items, how many there are in all, and the keyset of the next page."""

    items: list[wire.ItemRow]
    total: Total
    next_key: Key | None = None


class ResponseKeys(Struct, frozen=True):
    """Which responses a page holds; their bodies are read one at a time."""

    keys: list[Key]
    total: Total
    next_key: Key | None = None


class Reader:
    """Answers the questions of the web room from the tables."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def items(self, page: Page) -> ItemPage:
        """One page of items."""
        async with self._pool.connection() as connection:
            writers = await _writers_to(connection, page.exchange)
            rows = await fetch(connection, select_items(page, writers))
            total = await total_of(connection, page, "api_connector_items", writers)
        more = len(rows) > page.limit
        return ItemPage(
            items=await item_rows(rows[: page.limit]),
            total=total,
            next_key=(rows[page.limit - 1][12], rows[page.limit - 1][0]) if more else None,
        )

    async def item_slices(self, page: Page) -> AsyncGenerator[list[wire.ItemRow], None]:
        """Every item that ``page`` asks for, however many its limit allows, in slices; nothing is held in between."""
        left = page.limit
        while left > 0:
            wanted = replace(page, limit=min(left, EXPORT_ROWS))
            async with self._pool.connection() as connection:
                writers = await _writers_to(connection, page.exchange)
                rows = await fetch(connection, select_items(wanted, writers))
            if rows:
                yield await item_rows(rows[: wanted.limit])
            if len(rows) <= wanted.limit:
                return
            last = rows[wanted.limit - 1]
            left -= wanted.limit
            page = replace(page, after=(last[12], last[0]))

    async def latest_items(self, connector_id: str, *, limit: int, offset: int) -> tuple[list[wire.ItemRow], int]:
        """The newest item of each pair of a connector, in the order of the pairs; and how many pairs there are."""
        async with self._pool.connection() as connection:
            keys = await _fetch_all(
                connection,
                "SELECT timestamp, item_id FROM item_latest WHERE connector_id = %s ORDER BY pair LIMIT %s OFFSET %s",
                (connector_id, limit, offset),
            )
            rows = await fetch(connection, select_items_by_key(connector_id, keys))
            total = await _fetch_all(
                connection, "SELECT count(*) FROM item_latest WHERE connector_id = %s", (connector_id,)
            )
        return await item_rows(_in_order(keys, rows)), total[0][0]

    async def latest_item_slices(
        self, connector_id: str, *, limit: int, offset: int
    ) -> AsyncGenerator[list[wire.ItemRow], None]:
        """The same items, however many there are, in slices; nothing is held in between."""
        last: str | None = None
        while limit > 0:
            wanted = min(limit, EXPORT_ROWS)
            async with self._pool.connection() as connection:
                places = await _fetch_all(
                    connection,
                    "SELECT timestamp, item_id, pair FROM item_latest WHERE connector_id = %(connector_id)s"
                    " AND (%(last)s::text IS NULL OR pair > %(last)s) ORDER BY pair LIMIT %(limit)s OFFSET %(offset)s",
                    {"connector_id": connector_id, "last": last, "limit": wanted, "offset": offset},
                )
                keys = [(at, row_id) for at, row_id, _ in places]
                rows = await fetch(connection, select_items_by_key(connector_id, keys))
            if rows:
                yield await item_rows(_in_order(keys, rows))
            if len(places) < wanted:
                return
            last, limit, offset = places[-1][2], limit - wanted, 0

    async def response_keys(self, page: Page) -> ResponseKeys:
        """Which responses a page holds."""
        async with self._pool.connection() as connection:
            rows = await fetch(connection, select_response_keys(page))
            total = await total_of(connection, page, "api_connector_data")
        more = len(rows) > page.limit
        keys = [(at, row_id) for at, row_id in rows[: page.limit]]
        return ResponseKeys(keys=keys, total=total, next_key=keys[-1] if more else None)

    async def response(self, key: Key) -> wire.ResponseRow | None:
        """One response, or None when retention was faster."""
        async with self._pool.connection() as connection:
            rows = await _fetch_all(
                connection,
                "SELECT d.id, d.connector_id, e.stream_offset, d.response_data::text, d.timestamp, d.response_time_ms"
                " FROM api_connector_data AS d LEFT JOIN events AS e ON e.event_id = d.extraction_id"
                " WHERE d.timestamp = %s AND d.id = %s",
                key,
            )
        if not rows:
            return None
        row_id, connector_id, offset, text, at, elapsed = rows[0]
        return wire.ResponseRow(
            id=row_id,
            connector_id=connector_id,
            stream_offset=offset,
            response_data=Raw(text.encode()),
            timestamp=wire.iso_time(at),
            response_time_ms=elapsed,
        )

    async def latest_response_key(self, connector_id: str) -> Key | None:
        """Where the newest response of a connector is."""
        page = Page(connector_id=connector_id, limit=1)
        async with self._pool.connection() as connection:
            rows = await fetch(connection, select_response_keys(page))
        return (rows[0][0], rows[0][1]) if rows else None

    async def knows_connector(self, connector_id: str) -> bool:
        """Whether this database ever had such a connector."""
        async with self._pool.connection() as connection:
            rows = await _fetch_all(connection, "SELECT 1 FROM api_connectors WHERE connector_id = %s", (connector_id,))
        return bool(rows)

    async def stream(self) -> tuple[UUID, int]:
        """The identity of this history and its newest offset."""
        async with self._pool.connection() as connection:
            rows = await _fetch_all(connection, "SELECT stream_id, head FROM stream", ())
        return rows[0][0], rows[0][1]

    async def symbol_tables(self) -> dict[str, dict[str, tuple[str, str]]]:
        """The stored symbol table of each source."""
        async with self._pool.connection() as connection:
            rows = await _fetch_all(connection, "SELECT source_id, pairs FROM symbol_tables", ())
        return {source: {pair: (both[0], both[1]) for pair, both in pairs.items()} for source, pairs in rows}


async def fetch(connection: AsyncConnection[Any], statement: Statement) -> list[Any]:
    """Every row that ``statement`` finds."""
    return await _fetch_all(connection, *statement)


async def _fetch_all(connection: AsyncConnection[Any], query: Any, values: Any) -> list[Any]:
    rows: list[Any] = []
    with translated():
        cursor = await connection.execute(query, values)
        while some := await cursor.fetchmany(SLICE_ROWS):
            rows += some
            await trio.lowlevel.checkpoint()
    return rows


async def _writers_to(connection: AsyncConnection[Any], exchange: str | None) -> list[str] | None:
    """The connectors that ever stored items of ``exchange``; None when it is not asked for."""
    if exchange is None:
        return None
    rows = await _fetch_all(connection, "SELECT connector_id FROM connector_exchanges WHERE exchange = %s", (exchange,))
    return [row[0] for row in rows]


async def total_of(connection: AsyncConnection[Any], page: Page, table: str, writers: list[str] | None = None) -> Total:
    """How many rows match, counted where that is cheap or asked for."""
    if page.counted_by_connector:
        rows = await _fetch_all(
            connection,
            "SELECT coalesce(sum(rows), 0)::bigint FROM row_counts"
            " WHERE table_name = %(table)s AND (%(id)s::text IS NULL OR connector_id = %(id)s)",
            {"table": table, "id": page.connector_id},
        )
        return Total(rows[0][0])
    found = (await fetch(connection, count_bounded(page, table, writers)))[0][0]
    if page.exact_total or found <= COUNT_BOUND:
        return Total(found)
    return Total(COUNT_BOUND, exact=False)


def _in_order(keys: list[Key], rows: list[Any]) -> list[Any]:
    """The rows at ``keys``, in their order; retention may have taken some."""
    found = {row[0]: row for row in rows}
    return [found[row_id] for _, row_id in keys if row_id in found]


async def item_rows(rows: Sequence[Any]) -> list[wire.ItemRow]:
    """Rows of ``ITEM_COLUMNS``, ready to be encoded.

    A slice at a time: ten thousand rows take longer than the loop may be held.
    """
    items: list[wire.ItemRow] = []
    for start in range(0, len(rows), SLICE_ROWS):
        items.extend(map(_item, rows[start : start + SLICE_ROWS]))
        await trio.lowlevel.checkpoint()
    return items


def _item(row: Any) -> wire.ItemRow:
    (
        row_id,
        connector_id,
        api_name,
        exchange,
        coin_name,
        coin_symbol,
        quote_symbol,
        price,
        market_cap,
        volume,
        change,
        rank,
        at,
        elapsed,
        extra,
    ) = row
    return wire.ItemRow(
        id=row_id,
        connector_id=connector_id,
        api_name=api_name,
        exchange=exchange,
        coin_name=coin_name,
        coin_symbol=coin_symbol,
        quote_symbol=quote_symbol,
        price=wire.raw_number(price),
        market_cap=wire.raw_number(market_cap),
        volume_24h=wire.raw_number(volume),
        price_change_24h=wire.raw_number(change),
        market_cap_rank=rank,
        timestamp=wire.iso_time(at),
        response_time_ms=elapsed,
        extra=wire.raw_json(extra),
    )
