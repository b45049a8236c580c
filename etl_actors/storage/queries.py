"""The questions that REST asks, as SQL with parameters. Pure: a filter in, a statement and its values out.

Paging by keyset asks for what lies beyond ``(timestamp, id)`` of the last row seen, so pages stay stable while rows
are added. The plain comparison by timestamp beside it lets an index on time alone find the place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.sql import SQL, Composed, Identifier

from ..paging import Key, Page

COUNT_BOUND = 100_000

ITEM_COLUMNS = (
    "i.id, i.connector_id, i.api_name, i.exchange, i.coin_name, i.coin_symbol, i.quote_symbol, i.price::text,"
    " i.market_cap::text, i.volume_24h::text, i.price_change_24h::text, i.market_cap_rank, i.timestamp,"
    " i.response_time_ms, i.extra::text"
)

REJECTED_COLUMNS = (
    "i.id, i.connector_id, i.timestamp, i.reason, i.place, octet_length(i.raw), i.kind, i.position,"
    " i.response_time_ms, i.fingerprint"
)

Statement = tuple[Composed, dict[str, Any]]


def select_items(page: Page, writers: list[str] | None) -> Statement:
    """One page of items, and one row more to know whether there is a next.

    ``writers`` are the connectors that store items of the page's exchange, when it names one.
    """
    condition, values = where(page, keyset=True, writers=writers)
    return SQL("SELECT {} FROM api_connector_items AS i{}{}").format(
        SQL(ITEM_COLUMNS), condition, _order(page)
    ), values | _slice(page)


def select_response_keys(page: Page) -> Statement:
    """The ``(timestamp, id)`` of one page of responses, and one more."""
    condition, values = where(page, keyset=True)
    return SQL("SELECT i.timestamp, i.id FROM api_connector_data AS i{}{}").format(
        condition, _order(page)
    ), values | _slice(page)


def select_rejected(page: Page) -> Statement:
    """One page of rejected payloads without their bytes, and one more."""
    condition, values = where(page, keyset=True)
    return SQL("SELECT {} FROM rejected AS i{}{}").format(
        SQL(REJECTED_COLUMNS), condition, _order(page)
    ), values | _slice(page)


def select_rejected_whole(page: Page, newest_id: int, max_bytes: int) -> Statement:
    """The first rejected payloads of a page with their bytes: about ``max_bytes`` of them, but one at least; none that
    was added behind ``newest_id``.
    """
    condition, values = where(page, keyset=True)
    condition += SQL(" AND" if values else " WHERE") + SQL(" i.id <= %(newest_id)s")
    return SQL(
        "SELECT {}, i.raw FROM"
        " (SELECT i.*, sum(octet_length(i.raw)) OVER so_far AS bytes, row_number() OVER so_far AS n"
        " FROM (SELECT i.* FROM rejected AS i{} ORDER BY i.timestamp, i.id LIMIT %(limit)s) AS i"
        " WINDOW so_far AS (ORDER BY i.timestamp, i.id)) AS i"
        " WHERE i.bytes <= %(max_bytes)s OR i.n = 1 ORDER BY i.timestamp, i.id"
    ).format(SQL(REJECTED_COLUMNS), condition), values | {
        "newest_id": newest_id,
        "limit": page.limit,
        "max_bytes": max_bytes,
    }


def select_items_by_key(connector_id: str, keys: Sequence[Key]) -> Statement:
    """The items of a connector at these places."""
    return SQL(
        "SELECT {} FROM api_connector_items AS i WHERE i.connector_id = %(connector_id)s"
        " AND i.timestamp = ANY(%(times)s) AND i.id = ANY(%(ids)s)"
    ).format(SQL(ITEM_COLUMNS)), {
        "connector_id": connector_id,
        "times": sorted({at for at, _ in keys}),
        "ids": [row_id for _, row_id in keys],
    }


def count_bounded(page: Page, table: str, writers: list[str] | None = None) -> Statement:
    """How many rows match, up to one beyond the bound (all of them when an exact total is asked for)."""
    condition, values = where(page, keyset=False, writers=writers)
    bound = SQL("") if page.exact_total else SQL(" LIMIT {}").format(COUNT_BOUND + 1)
    return SQL("SELECT count(*) FROM (SELECT 1 FROM {} AS i{}{}) AS found").format(
        Identifier(table), condition, bound
    ), values


def where(page: Page, *, keyset: bool, writers: list[str] | None = None) -> tuple[Composed, dict[str, Any]]:
    """The conditions of ``page`` on a table that is called ``i``, and their values; ``keyset``: its place, too."""
    parts: list[str] = []
    values: dict[str, Any] = {}

    def add(condition: str, **named: Any) -> None:
        parts.append(condition)
        values.update(named)

    if page.connector_id is not None:
        add("i.connector_id = %(connector_id)s", connector_id=page.connector_id)
    if page.symbol is not None:
        add("upper(i.coin_symbol) = upper(%(symbol)s)", symbol=page.symbol)
    if page.exchange is not None:
        # Exchanges have no index; their connectors do, and one that nobody stores is known without a look.
        add(
            "i.exchange = %(exchange)s AND i.connector_id = ANY(%(writers)s)",
            exchange=page.exchange,
            writers=writers or [],
        )
    if page.since is not None:
        add("i.timestamp >= %(since)s", since=page.since)
    if page.until is not None:
        add("i.timestamp < %(until)s", until=page.until)
    if keyset and page.after is not None:
        beyond = "<" if page.newest_first else ">"
        add(
            f"i.timestamp {beyond}= %(after_time)s AND (i.timestamp, i.id) {beyond} (%(after_time)s, %(after_id)s)",
            after_time=page.after[0],
            after_id=page.after[1],
        )
    text = " WHERE " + " AND ".join(parts) if parts else ""
    # Every part is a constant of this function; what callers say is only ever a value.
    return SQL(text).format(), values


def _order(page: Page) -> Composed:
    direction = SQL("DESC") if page.newest_first else SQL("ASC")
    return SQL(" ORDER BY i.timestamp {0}, i.id {0} LIMIT %(limit)s OFFSET %(offset)s").format(direction)


def _slice(page: Page) -> dict[str, Any]:
    return {"limit": page.limit + 1, "offset": 0 if page.after is not None else page.offset}
