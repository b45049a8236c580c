"""Tables that grow with time are cut into partitions by time; this file decides where and makes them.

A partition covers one span ``[start, end)``. How long the next one is follows from how fast the data comes, so that a
partition holds a small share of ``[retention] max_bytes`` and dropping the oldest frees space in small steps, while a
quiet service keeps a handful of day-long ones. Planning is pure; :class:`PartitionBook` remembers what exists and makes
what is missing without blocking readers (a table is made beside its parent, then attached).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import AsyncConnection, sql

PARTITIONED = ("api_connector_data", "api_connector_items", "websocket_data", "events", "rejected", "gaps")
ALWAYS_WRITTEN = ("api_connector_data", "api_connector_items", "events")
WIDTHS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720, 1440))
PARTS_OF_CAP = 24
ASSUMED_BYTES_PER_SECOND = 100_000  # the eight shipped connectors, until the real rate is known

AHEAD = timedelta(minutes=2)

_LOCK = 0x65746C5F70617274  # "etl_part": whoever changes the set of partitions holds this advisory lock
_BOUNDS = re.compile(r"FROM \('([^']+)'\) TO \('([^']+)'\)")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Span(NamedTuple):
    """One partition: rows with ``start <= time < end``, in the table ``name``."""

    start: datetime
    end: datetime
    name: str


def choose_width(max_bytes: int, bytes_per_second: float | None) -> timedelta:
    """How long the next partition should be, so that about 24 of them fit into ``max_bytes`` (0: no cap, a day)."""
    if not max_bytes:
        return WIDTHS[-1]
    rate = max(bytes_per_second if bytes_per_second is not None else ASSUMED_BYTES_PER_SECOND, 1.0)
    longest = timedelta(seconds=min(max_bytes / PARTS_OF_CAP / rate, WIDTHS[-1].total_seconds()))
    fitting = [width for width in WIDTHS if width <= longest]
    return fitting[-1] if fitting else WIDTHS[0]


def plan_span(existing: Sequence[Span], at: datetime, width: timedelta) -> tuple[datetime, datetime]:
    """Where a partition for ``at`` begins and ends: aligned to ``width``, clipped where neighbours begin.

    ``existing`` is sorted by start, and none of it covers ``at``.
    """
    start = _EPOCH + (at - _EPOCH) // width * width
    end = start + width
    place = bisect_right([span.start for span in existing], at)
    if place > 0:
        start = max(start, existing[place - 1].end)
    if place < len(existing):
        end = min(end, existing[place].start)
    return start, end


def find_span(existing: Sequence[Span], at: datetime) -> Span | None:
    """The span that covers ``at``."""
    place = bisect_right(existing, (at, datetime.max.replace(tzinfo=UTC), ""))
    if place and existing[place - 1].start <= at < existing[place - 1].end:
        return existing[place - 1]
    return None


class PartitionBook:
    """Which partitions exist, as far as this process knows, and the making of missing ones."""

    def __init__(self, width: timedelta) -> None:
        self.width = width
        self._spans: dict[str, list[Span]] = {table: [] for table in PARTITIONED}

    def spans(self, table: str) -> tuple[Span, ...]:
        """The known partitions of ``table``, oldest first."""
        return tuple(self._spans[table])

    def counts(self) -> dict[str, int]:
        """How many partitions of each table are known."""
        return {table: len(spans) for table, spans in self._spans.items()}

    def start_of(self, table: str, at: datetime) -> datetime:
        """Where the partition that covers ``at`` begins; it must exist."""
        span = find_span(self._spans[table], at)
        if span is None:
            raise LookupError(f"no partition of {table} covers {at}")
        return span.start

    def missing(self, table: str, times: Iterable[datetime]) -> list[datetime]:
        """Those of ``times`` that no known partition covers."""
        spans = self._spans[table]
        return [at for at in times if find_span(spans, at) is None]

    async def refresh(self, connection: AsyncConnection[Any]) -> None:
        """Read again what exists."""
        cursor = await connection.execute(
            "SELECT parent.relname, child.relname, pg_get_expr(child.relpartbound, child.oid)"
            " FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid"
            " JOIN pg_class AS parent ON parent.oid = inhparent"
            " JOIN pg_namespace AS space ON space.oid = parent.relnamespace"
            " WHERE parent.relname = ANY(%s) AND parent.relkind = 'p' AND space.nspname = current_schema()"
            " AND NOT inhdetachpending",
            (list(PARTITIONED),),
        )
        spans: dict[str, list[Span]] = {table: [] for table in PARTITIONED}
        for parent, child, bounds in await cursor.fetchall():
            found = _BOUNDS.search(bounds)
            if found:
                spans[parent].append(Span(_moment(found[1]), _moment(found[2]), child))
        self._spans = {table: sorted(found) for table, found in spans.items()}

    async def make_ahead(self, connection: AsyncConnection[Any], now: datetime) -> None:
        """Make what the next minutes will be written to, so that no batch has to wait for it."""
        for table in ALWAYS_WRITTEN:
            await self.ensure(connection, table, (now, now + AHEAD))

    async def ensure(self, connection: AsyncConnection[Any], table: str, times: Iterable[datetime]) -> None:
        """Make the partitions of ``table`` that ``times`` need. ``connection`` is in autocommit mode."""
        missing = self.missing(table, times)
        if not missing:
            return
        await connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        try:
            await self.refresh(connection)
            for at in sorted(missing):
                if find_span(self._spans[table], at) is None:
                    start, end = plan_span(self._spans[table], at, self.width)
                    await attach(connection, table, start, end)
                    await self.refresh(connection)
        finally:
            await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))

    async def drop(self, connection: AsyncConnection[Any], table: str, span: Span) -> None:
        """Detach a partition without blocking readers, then drop it with its counts."""
        await connection.execute(
            sql.SQL("ALTER TABLE {} DETACH PARTITION {} CONCURRENTLY").format(
                sql.Identifier(table), sql.Identifier(span.name)
            )
        )
        await self._forget(connection, table, span)

    async def finish_interrupted_drops(self, connection: AsyncConnection[Any]) -> None:
        """A service that was killed while it dropped a partition left it half detached, or detached and not dropped."""
        cursor = await connection.execute(
            "SELECT parent.relname, child.relname FROM pg_inherits"
            " JOIN pg_class AS child ON child.oid = inhrelid JOIN pg_class AS parent ON parent.oid = inhparent"
            " WHERE parent.relname = ANY(%s) AND inhdetachpending",
            (list(PARTITIONED),),
        )
        for parent, child in await cursor.fetchall():
            await connection.execute(
                sql.SQL("ALTER TABLE {} DETACH PARTITION {} FINALIZE").format(
                    sql.Identifier(parent), sql.Identifier(child)
                )
            )
        cursor = await connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relispartition"
            " AND relnamespace = current_schema()::regnamespace AND relname ~ %s",
            (f"^({'|'.join(PARTITIONED)})_p[0-9]{{8}}_[0-9]{{6}}$",),
        )
        for (name,) in await cursor.fetchall():
            table, start = _named(name)
            await self._forget(connection, table, Span(start, start, name))

    async def _forget(self, connection: AsyncConnection[Any], table: str, span: Span) -> None:
        async with connection.transaction():
            await connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(span.name)))
            await connection.execute(
                "DELETE FROM row_counts WHERE table_name = %s AND partition_start = %s", (table, span.start)
            )
        self._spans[table] = [known for known in self._spans[table] if known.name != span.name]


async def attach(connection: AsyncConnection[Any], table: str, start: datetime, end: datetime) -> None:
    """Make the partition of ``table`` for ``start <= time < end``; the caller sees to it that none is there yet."""
    parent, child = sql.Identifier(table), sql.Identifier(f"{table}_p{start:%Y%m%d_%H%M%S}")
    async with connection.transaction():
        await connection.execute(
            sql.SQL(
                "CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS"
                " INCLUDING STORAGE INCLUDING COMPRESSION)"
            ).format(child, parent)
        )
        await connection.execute(
            sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                parent, child, sql.Literal(start.isoformat()), sql.Literal(end.isoformat())
            )
        )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _named(name: str) -> tuple[str, datetime]:
    table, _, stamp = name.rpartition("_p")
    return table, datetime.strptime(stamp, "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
