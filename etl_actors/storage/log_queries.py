"""The questions of whoever reads the log, as SQL with parameters. Pure.

Rows are asked for by their time and id, and by the span of all their times beside it: the planner then opens only the
partitions in that span. ``OFFSET 0`` keeps each row's look-up a look-up: joined freely, a page with one entry that was
stored late would be answered by reading everything between its time and the others'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, LiteralString

from psycopg.sql import SQL, Composed, Identifier

from .log_entries import Entry
from .queries import ITEM_COLUMNS

Statement = tuple[SQL | Composed, dict[str, Any]]


def select_bounds(at_least: int, window: int) -> Statement:
    """The identity of the history, its head, the oldest entry (None: none is left), and of the ``window`` entries from
    there, or from ``at_least``, the last one whose rows are gone.

    What is older than the oldest row of its table went with the partition it was in.
    """
    return SQL(
        "WITH oldest AS (SELECT min(stream_offset) AS entry FROM events), floors AS (SELECT"
        " coalesce((SELECT min(timestamp) FROM api_connector_data), 'infinity') AS responses,"
        " coalesce((SELECT min(timestamp) FROM websocket_data), 'infinity') AS frames,"
        " coalesce((SELECT min(timestamp) FROM api_connector_items), 'infinity') AS items)"
        " SELECT stream_id, head, oldest.entry, ("
        "SELECT max(e.stream_offset) FROM floors, (SELECT * FROM events WHERE stream_offset >= %(at_least)s"
        " AND stream_offset >= oldest.entry ORDER BY stream_offset LIMIT %(window)s) AS e"
        " WHERE CASE WHEN e.type = 'price_update' THEN e.first_item IS NOT NULL AND e.timestamp < floors.items"
        " WHEN e.response_id IS NOT NULL THEN e.timestamp < floors.responses"
        " ELSE e.frame_id IS NOT NULL AND e.timestamp < floors.frames END) FROM stream, oldest"
    ), {"at_least": at_least, "window": window}


def select_entries(offset: int, limit: int) -> Statement:
    """The next entries after ``offset``."""
    return SQL(
        "SELECT stream_offset, event_id, type, connector_id, timestamp, response_id, frame_id, first_item, last_item,"
        " CASE WHEN response_id IS NULL AND frame_id IS NULL THEN convert_to(data::text, 'UTF8') END"
        " FROM events WHERE stream_offset > %(offset)s"
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
                    "SELECT k.stream_offset, d.value FROM unnest(%(offsets)s::bigint[], %(times)s::timestamptz[],"
                    " %(ids)s::bigint[]) AS k (stream_offset, at, id), LATERAL (SELECT {} AS value FROM {}"
                    " WHERE timestamp = k.at AND id = k.id AND timestamp BETWEEN %(first)s AND %(last)s"
                    " OFFSET 0) AS d"
                ).format(value.format(Identifier(column)), Identifier(table)),
                {**_span([entry for entry, _ in keys]), "ids": [row_id for _, row_id in keys]},
            )


def select_items(entries: Sequence[Entry]) -> Iterator[Statement]:
    """The offset of the entry, then the columns of an item, of every item."""
    having = [entry for entry in entries if entry.first_item is not None and not entry.needs_body]
    if having:
        yield (
            SQL(
                "SELECT k.stream_offset, i.* FROM unnest(%(offsets)s::bigint[], %(times)s::timestamptz[],"
                " %(connectors)s::text[], %(firsts)s::bigint[], %(lasts)s::bigint[])"
                " AS k (stream_offset, at, connector_id, first_item, last_item)"
                ", LATERAL (SELECT {} FROM api_connector_items AS i WHERE i.timestamp = k.at"
                " AND i.connector_id = k.connector_id AND i.id BETWEEN k.first_item AND k.last_item"
                " AND i.timestamp BETWEEN %(first)s AND %(last)s OFFSET 0) AS i"
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
