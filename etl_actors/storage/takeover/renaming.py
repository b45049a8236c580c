"""Sets the original's tables aside: one transaction renames them all and opens the ledger of the takeover.

Only names that would stand in our way are changed: tables, their indexes and the sequences behind their columns live
in one namespace. Foreign keys, checks, views and triggers follow their tables by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from ...errors import UsageError
from ..migrations import DIARY, known_migrations
from . import ledger
from .catalogue import MADE_KEY, Table, read_tables, set_aside_name
from .recognising import check_diary, recognise
from .targets import TARGETS, Target

log = structlog.get_logger("takeover")

LOCK_SECONDS = 30
_MAKES = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)
_KINDS = {"i": SQL("INDEX"), "I": SQL("INDEX"), "S": SQL("SEQUENCE")}


async def set_original_aside(connection: AsyncConnection[Any]) -> None:
    """Rename the tables of the original, if this is its database and nobody did so yet.

    ``connection`` is in autocommit mode and holds the lock of ``migrations``. Raises :class:`UsageError`, one sentence,
    when the database is somebody else's, or the original still runs.
    """
    ours = {name for _, _, sql in known_migrations() for name in _MAKES.findall(sql)}
    names = ours | {target.table for target in TARGETS}
    tables = await read_tables(connection, names | {set_aside_name(name) for name in names} | {DIARY})
    check_diary(tables.get(DIARY))
    if await _is_ours(connection, tables):
        return
    aside = recognise(tables, ours)
    if not aside:
        return
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'".encode())
            await _rename(connection, aside, tables)
    except psycopg.errors.LockNotAvailable:
        raise UsageError(
            "the tables of the original are in use: stop the original (and whatever else reads its database) first"
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise UsageError(
            f"the tables of the original cannot be renamed ({error.diag.message_primary}):"
            " connect as the user that owns them"
        ) from None
    log.info("takeover.set_aside", tables={target.table: set_aside_name(target.table) for target in aside})


async def _is_ours(connection: AsyncConnection[Any], tables: dict[str, Table]) -> bool:
    """Migrated by us, or set aside by a takeover that was killed before it migrated."""
    if ledger.LEDGER in tables and {"table_name", "last_key", "finished_at"} <= tables[ledger.LEDGER].columns.keys():
        return True
    if DIARY not in tables:
        return False
    cursor = await connection.execute("SELECT EXISTS (SELECT FROM schema_migrations)")
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def _rename(connection: AsyncConnection[Any], aside: Sequence[Target], tables: dict[str, Table]) -> None:
    await connection.execute(_ledger_sql().encode())
    for target in aside:
        table = target.table
        await connection.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(Identifier(table)))
        for kind, name in await _names_behind(connection, table):
            await connection.execute(
                SQL("ALTER {} {} RENAME TO {}").format(_KINDS[kind], Identifier(name), Identifier(set_aside_name(name)))
            )
        await connection.execute(
            SQL("ALTER TABLE {} RENAME TO {}").format(Identifier(table), Identifier(set_aside_name(table)))
        )
        if tables[table].key is None and target.lacks(tables[table]) is None:
            await _make_key(connection, set_aside_name(table))
    await ledger.open_entries(connection, [target.table for target in aside])


async def _names_behind(connection: AsyncConnection[Any], table: str) -> list[tuple[str, str]]:
    """Kind and name of the indexes of ``table`` and of the sequences that its columns own or take defaults from."""
    cursor = await connection.execute(
        "SELECT DISTINCT c.relkind::text, c.relname::text FROM pg_class AS c"
        " WHERE c.relnamespace = current_schema()::regnamespace AND ("
        "  c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = to_regclass(quote_ident(%(table)s)))"
        "  OR c.relkind = 'S' AND c.oid IN ("
        "   SELECT d.objid FROM pg_depend AS d WHERE d.refobjid = to_regclass(quote_ident(%(table)s))"
        "   UNION ALL SELECT d.refobjid FROM pg_depend AS d JOIN pg_attrdef AS a ON a.oid = d.objid"
        "    WHERE a.adrelid = to_regclass(quote_ident(%(table)s)))) ORDER BY 2",
        {"table": table},
    )
    return await cursor.fetchall()


async def _make_key(connection: AsyncConnection[Any], table: str) -> None:
    """Rows without an integer of their own that is unique get one, so that they can be copied in slices."""
    await connection.execute(
        SQL("ALTER TABLE {} ADD COLUMN {} bigint NOT NULL UNIQUE GENERATED ALWAYS AS IDENTITY").format(
            Identifier(table), Identifier(MADE_KEY)
        )
    )


def _ledger_sql() -> str:
    (sql,) = (sql for _, name, sql in known_migrations() if name == ledger.LEDGER)
    return sql
