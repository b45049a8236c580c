"""Large values reach the database as they are, a slice at a time."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import AsyncConnection

from etl_actors.storage import large_rows
from etl_actors.storage.driver import Connection
from etl_actors.storage.large_rows import Text, write_row

AWKWARD = 'plain \\ \\N \\. \t tab \n line \r "quoted" \x07 ü € 😀 '
SMALL = ("small", 1, 2.5, None, "a\tb\\N", b"\x00\xff", None)


async def copied(connection: AsyncConnection[Any], rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """What is in the table when ``rows`` were copied to it."""
    await connection.execute(
        "CREATE TEMP TABLE kept (name text, whole bigint, part float, nothing text, said text, raw bytea, more bytea)"
    )
    async with connection.cursor() as cursor:
        async with cursor.copy("COPY kept FROM STDIN") as copy:
            for row in rows:
                await write_row(copy, row)
        await cursor.execute("SELECT * FROM kept ORDER BY whole")
        return await cursor.fetchall()


@pytest.mark.parametrize("slice_bytes", [1, 7, large_rows.SLICE_BYTES])
async def test_large_rows_arrive_like_small_ones(
    database: str, monkeypatch: pytest.MonkeyPatch, slice_bytes: int
) -> None:
    """Beside each other, whatever they hold and wherever the slices end."""
    monkeypatch.setattr(large_rows, "SLICE_BYTES", slice_bytes)
    times = max(1, slice_bytes // 20)
    text, raw = AWKWARD * times, bytes(range(256)) * times
    large = ("large", 2, 0.5, None, Text(text.encode()), raw, None)
    other = ("text", 3, None, None, "after", b"", b"\\x")
    async with await Connection[Any].connect(database) as connection:
        found = await copied(connection, [SMALL, large, other, ("fourth", 4, 1.0, None, Text(b"x"), None, None)])
    assert found[0] == SMALL
    assert found[1] == ("large", 2, 0.5, None, text, raw, None)
    assert found[2] == other
    assert found[3] == ("fourth", 4, 1.0, None, "x", None, None)
