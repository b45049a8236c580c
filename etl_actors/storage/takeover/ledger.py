"""The table ``takeover``: what was set aside, and how far the copying of each table has come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from psycopg import AsyncConnection

LEDGER = "takeover"


class Entry(Struct, frozen=True, kw_only=True):
    """One table's line. ``expected`` is None until its history is planned, ``last_key`` before the first slice."""

    table_name: str
    set_aside_at: datetime
    expected: int | None
    last_key: int | None
    last_moment: datetime | None
    rows: int
    mended: int
    left_behind: int


class Copied(Struct, frozen=True, kw_only=True):
    """What one slice did: ``read`` rows up to ``last_key``, ``rows`` of them copied, ``mended`` of those changed."""

    read: int
    rows: int
    mended: int
    last_key: int | None
    last_moment: datetime | None


async def open_entries(connection: AsyncConnection[Any], tables: Sequence[str]) -> None:
    """A line for each table that is set aside, in the transaction that does it."""
    async with connection.cursor() as cursor:
        await cursor.executemany("INSERT INTO takeover (table_name) VALUES (%s)", [(table,) for table in tables])


async def unfinished(connection: AsyncConnection[Any]) -> list[str]:
    """The tables that still have rows to copy."""
    cursor = await connection.execute("SELECT table_name FROM takeover WHERE finished_at IS NULL")
    return [row[0] for row in await cursor.fetchall()]


async def lock_entry(connection: AsyncConnection[Any], table: str) -> Entry:
    """A table's line, kept from everybody else until the transaction ends: no slice can be copied twice."""
    cursor = await connection.execute(
        f"SELECT {', '.join(Entry.__struct_fields__)} FROM takeover WHERE table_name = %s FOR UPDATE".encode(),  # noqa: S608 - our own names
        (table,),
    )
    row = await cursor.fetchone()
    assert row is not None
    return Entry(**dict(zip(Entry.__struct_fields__, row, strict=True)))


async def expect(connection: AsyncConnection[Any], table: str, rows: int) -> None:
    """Note how many rows there are."""
    await connection.execute("UPDATE takeover SET expected = %s WHERE table_name = %s", (rows, table))


async def add(connection: AsyncConnection[Any], table: str, copied: Copied) -> None:
    """Note a slice, in its transaction."""
    await connection.execute(
        "UPDATE takeover SET rows = rows + %s, mended = mended + %s, left_behind = left_behind + %s,"
        " last_key = coalesce(%s, last_key), last_moment = greatest(%s, last_moment) WHERE table_name = %s",
        (
            copied.rows,
            copied.mended,
            copied.read - copied.rows,
            copied.last_key,
            copied.last_moment,
            table,
        ),
    )


async def finish(connection: AsyncConnection[Any], table: str) -> None:
    """All rows of it are copied."""
    await connection.execute("UPDATE takeover SET finished_at = CURRENT_TIMESTAMP WHERE table_name = %s", (table,))


async def taken_over_at(connection: AsyncConnection[Any]) -> datetime | None:
    """When the last table of the original was copied; None in a database that began as ours."""
    cursor = await connection.execute("SELECT max(finished_at) FROM takeover")
    row = await cursor.fetchone()
    return None if row is None else row[0]
