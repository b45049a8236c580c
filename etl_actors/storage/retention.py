"""Which partitions must go, and what goes with them.

By age each table has its own limit; by bytes the oldest partition of any table goes first. The newest partition of a
table always stays: it is the one that is written to. What was taken over from the original, however old, is as old as
the takeover: nothing disappears because of an upgrade. The choice is pure; :class:`Retention` measures and acts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from msgspec import Struct
from psycopg import AsyncConnection

from ..settings.service import Retention as RetentionSettings
from .partitions import PARTITIONED, PartitionBook, Span, choose_width
from .pool import Pool
from .takeover.ledger import taken_over_at
from .translation import translated

log = structlog.get_logger("retention")

# Room kept free below the cap, so that what arrives until the next look still fits.
HEADROOM = 0.05

# How many of a table's newest partitions, and how many seconds of them at least, tell how fast it grows.
RECENT = 3
SOONEST_SECONDS = 30

# What a partition takes before much is in it (first pages of table, indexes and compressed bodies). It must not count
# as growth, or small partitions would look like fast ones and be made smaller still.
EMPTY_BYTES = 65_536


class Measured(Struct, frozen=True):
    """One partition with its size on disk, indexes and compressed bodies included."""

    table: str
    span: Span
    bytes: int


def choose_expired(
    measured: Sequence[Measured],
    *,
    now: datetime,
    keep: Mapping[str, timedelta | None],
    max_bytes: int,
    taken_over: datetime | None = None,
) -> list[Measured]:
    """What must go: everything older than its table's ``keep`` (None keeps), then the oldest while over the cap.

    Nothing is older than ``taken_over``, the end of the takeover of the original's tables, if there was one.
    """
    newest = {one.table: one.span.start for one in sorted(measured, key=lambda one: one.span.start)}
    droppable = sorted(
        (one for one in measured if one.span.start != newest[one.table] and one.span.end <= now),
        key=lambda one: (one.span.end, one.table),
    )
    expired = [one for one in droppable if _is_older(one, now, keep, taken_over)]
    total = sum(one.bytes for one in measured) - sum(one.bytes for one in expired)
    for one in droppable:
        if not max_bytes or total <= max_bytes * (1 - HEADROOM):
            break
        if one not in expired:
            expired.append(one)
            total -= one.bytes
    return expired


def _is_older(one: Measured, now: datetime, keep: Mapping[str, timedelta | None], taken_over: datetime | None) -> bool:
    age = keep.get(one.table)
    born = one.span.end if taken_over is None else max(one.span.end, taken_over)
    return age is not None and born <= now - age


class Retention:
    """Keeps the tables within ``[retention]``."""

    def __init__(self, pool: Pool, partitions: PartitionBook, settings: RetentionSettings) -> None:
        self._pool = pool
        self._partitions = partitions
        self.change(settings)

    def change(self, settings: RetentionSettings) -> None:
        """From the next sweep on these are the limits."""
        self._settings = settings
        responses = _days(settings.responses_days)
        self._keep = {
            "api_connector_data": responses,
            "websocket_data": responses,
            "rejected": responses,
            "api_connector_items": _days(settings.items_days),
            "events": _days(settings.events_days),
            "gaps": _days(settings.events_days),
        }

    async def sweep(self, now: datetime) -> int:
        """Drop what must go and make the partitions that will be needed next; returns how many bytes are stored."""
        async with self._pool.connection() as connection:
            with translated():
                await self._partitions.refresh(connection)
                measured = await _measure(connection, self._partitions)
                expired = choose_expired(
                    measured,
                    now=now,
                    keep=self._keep,
                    max_bytes=self._settings.max_bytes,
                    taken_over=await taken_over_at(connection),
                )
                for one in expired:
                    await self._partitions.drop(connection, one.table, one.span)
                    log.info("retention.partition_dropped", partition=one.span.name, bytes=one.bytes)
                if expired:
                    await _prune(connection, now)
                await connection.execute("DELETE FROM batches WHERE committed_at < %s", (now - timedelta(days=7),))
                gone = set(expired)
                kept = [one for one in measured if one not in gone]
                self._partitions.width = choose_width(self._settings.max_bytes, growth(kept, now))
                await self._partitions.make_ahead(connection, now)
        return sum(one.bytes for one in kept)


def growth(measured: Sequence[Measured], now: datetime) -> float | None:
    """Bytes a second over all tables, from the newest partitions of each; None when it is too early to tell."""
    rate = 0.0
    for table in {one.table for one in measured}:
        started = [one for one in measured if one.table == table and one.span.start < now]
        newest = sorted(started, key=lambda one: one.span.start)[-RECENT:]
        elapsed = sum((min(one.span.end, now) - one.span.start).total_seconds() for one in newest)
        if newest and elapsed < SOONEST_SECONDS:
            return None
        rate += sum(max(one.bytes - EMPTY_BYTES, 0) for one in newest) / max(elapsed, 1.0)
    return rate or None


async def _measure(connection: AsyncConnection[Any], partitions: PartitionBook) -> list[Measured]:
    spans = [(table, span) for table in PARTITIONED for span in partitions.spans(table)]
    cursor = await connection.execute(
        "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
        " WHERE relname = ANY(%s) AND relnamespace = current_schema()::regnamespace",
        ([span.name for _, span in spans],),
    )
    sizes = {name: size or 0 for name, size in await cursor.fetchall()}
    return [Measured(table, span, sizes.get(span.name, 0)) for table, span in spans]


async def _prune(connection: AsyncConnection[Any], now: datetime) -> None:
    """Newest items whose row went with its partition are no longer known."""
    cursor = await connection.execute(
        "SELECT min(partition_start) FROM row_counts WHERE table_name = 'api_connector_items'"
    )
    row = await cursor.fetchone()
    oldest = row[0] if row and row[0] else now
    await connection.execute("DELETE FROM item_latest WHERE timestamp < %s", (oldest,))


def _days(days: float) -> timedelta | None:
    return timedelta(days=days) if days else None
