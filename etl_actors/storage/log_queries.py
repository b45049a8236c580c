"""The questions of whoever reads the log, as SQL with parameters. Pure.

Rows are asked for by their time and id, and by the span of all their times beside it: the planner then opens only the
partitions in that span.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, LiteralString

from psycopg.sql import SQL, Composed, Identifier

from .log_entries import Entry
from .queries import ITEM_COLUMNS

Statement = tuple[SQL | Composed, dict[str, Any]]

BOUNDS: Statement = (
    SQL("SELECT stream_id, head, (SELECT min(stream_offset) FROM events) FROM stream"),
    {},
)


def select_entries(offset: int, limit: int) -> Statement:
    """The next entries after ``offset``."""
    return SQL(
        "SELECT stream_offset, event_id, type, connector_id, timestamp, response_id, frame_id, first_item, last_item,"
        " convert_to(data::text, 'UTF8') FROM events WHERE stream_offset > %(offset)s"
        " ORDER BY stream_offset LIMIT %(limit)s"
    ), {"offset": offset, "limit": limit}


def select_sizes(entries: Sequence[Entry]) -> Iterator[Statement]:
    """``(offset, bytes where it is stored)`` of every body, whether the event is made of it or of its items."""
    return _by_key(entries, SQL("pg_column_size({})"))


def select_bodies(entries: Sequence[Entry]) -> Iterator[Statement]:
    """``(offset, JSON text)`` of the bodies that events are made of."""
    return _by_key([entry for entry in entries if entry.needs_body], SQL("convert_to({}::text, 'UTF8')"))


def _by_key(entries: Sequence[Entry], value: SQL) -> Iterator[Statement]:
    responses = [(entry, entry.response_id) for entry in entries if entry.response_id is not None]
    frames = [(entry, entry.frame_id) for entry in entries if entry.frame_id is not None]
    columns: tuple[tuple[LiteralString, LiteralString, Sequence[tuple[Entry, int]]], ...] = (
        ("api_connector_data", "response_data", responses),
        ("websocket_data", "data", frames),
    )
    for table, column, keys in columns:
        if keys:
            yield (
                SQL(
                    "SELECT k.stream_offset, {} FROM unnest(%(offsets)s::bigint[], %(times)s::timestamptz[],"
                    " %(ids)s::bigint[]) AS k (stream_offset, at, id)"
                    " JOIN {} AS d ON d.timestamp = k.at AND d.id = k.id"
                    " WHERE d.timestamp BETWEEN %(first)s AND %(last)s"
                ).format(value.format(Identifier("d", column)), Identifier(table)),
                {**_span([entry for entry, _ in keys]), "ids": [row_id for _, row_id in keys]},
            )


def select_items(entries: Sequence[Entry]) -> Iterator[Statement]:
    """The offset of the entry, then the columns of an item, of every item."""
    having = [entry for entry in entries if entry.first_item is not None and not entry.needs_body]
    if having:
        yield (
            SQL(
                "SELECT k.stream_offset, {} FROM unnest(%(offsets)s::bigint[], %(times)s::timestamptz[],"
                " %(connectors)s::text[], %(firsts)s::bigint[], %(lasts)s::bigint[])"
                " AS k (stream_offset, at, connector_id, first_item, last_item)"
                " JOIN api_connector_items AS i ON i.timestamp = k.at AND i.connector_id = k.connector_id"
                " AND i.id BETWEEN k.first_item AND k.last_item"
                " WHERE i.timestamp BETWEEN %(first)s AND %(last)s"
            ).format(SQL(ITEM_COLUMNS)),
            {
                **_span(having),
                "connectors": [entry.connector_id for entry in having],
                "firsts": [entry.first_item for entry in having],
                "lasts": [entry.last_item for entry in having],
            },
        )


def _span(entries: Sequence[Entry]) -> dict[str, Any]:
    times = [entry.timestamp for entry in entries]
    return {
        "offsets": [entry.offset for entry in entries],
        "times": times,
        "first": min(times),
        "last": max(times),
    }
