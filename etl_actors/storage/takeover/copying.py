"""Copies the rows of the original's tables into ours, in slices, each with its progress in one transaction.

Killed at any moment, it goes on after the last slice that was committed. A slice that fails for one of its rows is cut
smaller and smaller until that row is alone; it stays behind, and is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
import structlog
import trio
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composed, Identifier, Literal

from ...errors import UsageError
from . import ledger
from .catalogue import Table, read_tables, set_aside_name
from .conversions import make_readers
from .ledger import Copied, Entry
from .planning import AHEAD, partition_starts, prepare_history
from .statements import copy_slice
from .targets import TARGETS, Target

log = structlog.get_logger("takeover")

SAY_SECONDS = 1.0
_SMALLER = 10
_BEFORE_ALL = -(2**63)

# What one row can be guilty of: a value that is too much, or a time outside of what was planned for.
_ROW_TROUBLE = (psycopg.DataError, psycopg.errors.ProgramLimitExceeded, psycopg.errors.CheckViolation)

_SEQUENCES = {
    "api_connector_data": "api_connector_data_id_seq",
    "api_connector_items": "api_connector_items_id_seq",
    "websocket_data": "websocket_data_id_seq",
}


async def copy_original(connection: AsyncConnection[Any], progress: Callable[[str], None]) -> None:
    """Copy what is left to copy of every table that was set aside; returns when all of it is ours.

    ``connection`` is in autocommit mode and holds the lock of ``migrations``; the schema is up to date.
    """
    left = await ledger.unfinished(connection)
    if not left:
        return
    await connection.execute("SET statement_timeout = 0")
    await make_readers(connection)
    originals = await read_tables(connection, [set_aside_name(target.table) for target in TARGETS])
    for target in TARGETS:
        if target.table in left:
            original = originals.get(set_aside_name(target.table))
            if original is None:
                raise UsageError(
                    f"the table {set_aside_name(target.table)} of the original is gone before all of it was copied:"
                    f" restore it, or delete the row of {target.table} from the table takeover to go on without it"
                )
            await _Copier(connection, target, original, originals.get(set_aside_name("files")), progress).run()


class _Copier:
    """Copies one table."""

    def __init__(
        self,
        connection: AsyncConnection[Any],
        target: Target,
        original: Table,
        files: Table | None,
        progress: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._target = target
        self._original = original
        self._files = files
        self._progress = progress
        self._said = -SAY_SECONDS

    async def run(self) -> None:
        target, connection = self._target, self._connection
        lacking = target.lacks(self._original)
        if lacking is not None:
            log.warning("takeover.table_not_copied", table=self._original.name, reason=lacking)
            await ledger.finish(connection, target.table)
            return
        entry = await self._planned()
        statement = copy_slice(target, self._original, self._files)
        starts = await partition_starts(connection, target.table) if target.partitioned else []
        rows = target.slice_rows
        while True:
            self._say(entry)
            try:
                copied = await self._copy(statement, starts, rows)
            except _ROW_TROUBLE as error:
                if rows == 1:
                    await self._leave_behind(error)
                rows = max(rows // _SMALLER, 1)
                continue
            if copied.read == 0:
                break
            rows = min(rows * _SMALLER, target.slice_rows)
            entry = await self._entry()
        await self._finish()

    async def _planned(self) -> Entry:
        """Before the first slice: count the rows, and make the partitions for all of their times."""
        async with self._connection.transaction():
            entry = await ledger.lock_entry(self._connection, self._target.table)
            if entry.expected is None:
                self._progress(f"taking over the original's tables: {self._target.table}")
                rows = await prepare_history(self._connection, self._target, self._original, entry.set_aside_at)
                await ledger.expect(self._connection, self._target.table, rows)
        return await self._entry()

    async def _copy(self, statement: Composed, starts: list[datetime], rows: int) -> Copied:
        async with self._connection.transaction():
            entry = await ledger.lock_entry(self._connection, self._target.table)
            cursor = await self._connection.execute(
                statement,
                {
                    "after": _after(entry),
                    "limit": rows,
                    "earliest": starts[0] if starts else entry.set_aside_at,
                    "latest": entry.set_aside_at + AHEAD,
                    "before": entry.last_moment,
                    "starts": starts,
                },
            )
            row = await cursor.fetchone()
            assert row is not None
            copied = Copied(**dict(zip(("read", "rows", "mended", "last_key", "last_moment"), row, strict=True)))
            await ledger.add(self._connection, self._target.table, copied)
        return copied

    async def _leave_behind(self, error: psycopg.Error) -> None:
        """Step over the one row that cannot be stored."""
        key = Identifier(self._original.key or "id")
        async with self._connection.transaction():
            entry = await ledger.lock_entry(self._connection, self._target.table)
            cursor = await self._connection.execute(
                SQL("SELECT min({0}) FROM {1} WHERE {0} > %(after)s::bigint").format(
                    key, Identifier(self._original.name)
                ),
                {"after": _after(entry)},
            )
            row = await cursor.fetchone()
            assert row is not None
            stepped = Copied(read=1, rows=0, mended=0, last_key=row[0], last_moment=None)
            await ledger.add(self._connection, self._target.table, stepped)
        log.warning(
            "takeover.row_left_behind", table=self._original.name, key=row[0], reason=error.diag.message_primary
        )

    async def _finish(self) -> None:
        """Our ids begin beyond the original's; then nothing is left to do for this table."""
        table = self._target.table
        async with self._connection.transaction():
            entry = await ledger.lock_entry(self._connection, table)
            await self._connection.execute(_set_sequence(table, entry.last_key))
            if table == "file_data":
                await self._connection.execute(
                    "UPDATE files SET row_count = (SELECT count(*) FROM file_data AS d WHERE d.file_id = files.id)"
                    " WHERE row_count IS NULL"
                )
            # The first pages are asked for at once; without this, their plans would wait for autovacuum.
            await self._connection.execute(SQL("ANALYZE {}").format(Identifier(table)))
            await ledger.finish(self._connection, table)
        tell = log.warning if entry.left_behind else log.info
        tell("takeover.table_copied", table=table, rows=entry.rows, mended=entry.mended, left_behind=entry.left_behind)

    async def _entry(self) -> Entry:
        async with self._connection.transaction():
            return await ledger.lock_entry(self._connection, self._target.table)

    def _say(self, entry: Entry) -> None:
        now = trio.current_time()
        if now - self._said >= SAY_SECONDS:
            self._said = now
            self._progress(
                f"taking over the original's tables: {entry.table_name}, {entry.rows:,} of {entry.expected or 0:,} rows"
            )


def _after(entry: Entry) -> int:
    return _BEFORE_ALL if entry.last_key is None else entry.last_key


def _set_sequence(table: str, last_key: int | None) -> Composed:
    if table in _SEQUENCES:
        return SQL("SELECT setval({}, greatest({}::bigint, 0) + 1, false)").format(
            Literal(_SEQUENCES[table]), Literal(last_key or 0)
        )
    return SQL(
        "SELECT setval(pg_get_serial_sequence({}, 'id'), (SELECT coalesce(max(id), 0) + 1 FROM {}), false)"
    ).format(Literal(table), Identifier(table))
