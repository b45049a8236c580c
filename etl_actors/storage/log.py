"""Reads the log of events again, for whoever was away: the same events, in the same shape, as were published live.

An entry of the log names the rows it was made of; they are looked up by their time and id, so that only the partitions
they lie in are touched. Each page is read with a connection of its own, given back before anything is sent: a
subscriber that asks for days holds nothing in between.

What retention took cannot be rebuilt. An entry whose rows are gone is left out rather than sent empty; since offsets
have no holes, whoever reads the log knows by the jump between two offsets that something was, and how much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import trio
from psycopg import AsyncConnection

from ..messages import Event
from .log_entries import Entry, choose_fitting, has_lost_rows
from .log_queries import Statement, select_bodies, select_bounds, select_entries, select_items, select_sizes
from .pool import Pool
from .published import item_pieces, make_event
from .reader import item_rows
from .translation import translated

# This share of the connections reads pages at once; other readers of the log wait for those, and not in front of
# whoever asks over REST.
SHARE = 1 / 3
SLICE_ROWS = 500

# The oldest entries can outlive their rows, most often by the moments between reading an answer and committing it. So
# many entries in a row must be whole for the history to begin there; so often the next ones are looked at in one call.
WINDOW = 5_000
LOOKS = 20


class Bounds(NamedTuple):
    """Which history this is, the oldest offset that can still be read (``head + 1`` when none can), and the newest."""

    stream_id: UUID
    oldest_offset: int
    head: int


class LogReader:
    """Follows the log by offset. Every call may raise :class:`~etl_actors.errors.StorageUnavailable`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._turns = trio.Semaphore(max(int(pool.statistics().max * SHARE), 1))
        self._whole_from = 0  # every entry before it is gone, or has lost its rows

    async def bounds(self) -> Bounds:
        """From where to where the log can be read now without a hole."""
        async with self._turns, self._pool.connection() as connection:
            for _ in range(LOOKS):
                ((stream_id, head, oldest, lost),) = await _fetch(connection, select_bounds(self._whole_from, WINDOW))
                if lost is None:
                    break
                self._whole_from = lost + 1
        return Bounds(stream_id, head + 1 if oldest is None else max(oldest, self._whole_from), head)

    async def after(self, offset: int, *, limit: int, max_bytes: int) -> list[Event]:
        """The next events after ``offset`` in their order: at most ``limit``, and about ``max_bytes`` of them, but one
        at least; none when the log ends there.
        """
        while True:
            async with self._turns, self._pool.connection() as connection:
                entries = await _entries(connection, offset, limit)
                if not entries:
                    return []
                entries = choose_fitting(entries, await _sizes(connection, entries), max_bytes)
                bodies = await _bodies(connection, entries)
                items = await _items(connection, entries)
            events = [
                await _event(entry, bodies.get(entry.offset), items.get(entry.offset, ()))
                for entry in entries
                if not has_lost_rows(entry, bodies, items)
            ]
            if events:
                return events
            offset = entries[-1].offset


async def _entries(connection: AsyncConnection[Any], offset: int, limit: int) -> list[Entry]:
    return [Entry(*row) for row in await _fetch(connection, select_entries(offset, limit))]


async def _sizes(connection: AsyncConnection[Any], entries: Sequence[Entry]) -> dict[int, int]:
    """How many bytes the body of each entry takes where it is stored."""
    found: dict[int, int] = {}
    for statement in select_sizes(entries):
        found.update(await _fetch(connection, statement))
    return found


async def _bodies(connection: AsyncConnection[Any], entries: Sequence[Entry]) -> dict[int, bytes]:
    found = {entry.offset: entry.data for entry in entries if entry.data is not None}
    for statement in select_bodies(entries):
        found.update(await _fetch(connection, statement))
    return found


async def _items(connection: AsyncConnection[Any], entries: Sequence[Entry]) -> Mapping[int, Sequence[Any]]:
    found: dict[int, list[Any]] = {}
    for statement in select_items(entries):
        for offset, *row in await _fetch(connection, statement):
            found.setdefault(offset, []).append(row)
    return found


async def _event(entry: Entry, body: bytes | None, rows: Sequence[Any]) -> Event:
    event = make_event(
        offset=entry.offset,
        event_id=entry.event_id,
        kind=entry.type,
        connector_id=entry.connector_id,
        timestamp=entry.timestamp,
        items=await item_pieces(await item_rows(sorted(rows, key=_row_id))),
        body=body or b"null",
        is_message=entry.is_message,
    )
    await trio.lowlevel.checkpoint()
    return event


def _row_id(row: Sequence[Any]) -> int:
    row_id: int = row[0]
    return row_id


async def _fetch(connection: AsyncConnection[Any], statement: Statement) -> list[Any]:
    rows: list[Any] = []
    with translated():
        # Binary, so that a body comes as the bytes it leaves as.
        cursor = await connection.execute(*statement, binary=True)
        while some := await cursor.fetchmany(SLICE_ROWS):
            rows += some
            await trio.lowlevel.checkpoint()
    return rows
