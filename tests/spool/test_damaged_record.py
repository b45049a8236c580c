"""One record that cannot be read costs one record."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from etl_actors.spool import open_spool
from etl_actors.spool.record import _checksum, _digest
from etl_actors.spool.store import Store
from tests.spool.batches import drained, fill, spool_file

ROOM = 64_000_000


def changed(folder: Path, column: str, value: Any, sequence: int) -> None:
    """Change a record behind the back of the spool."""
    with closing(sqlite3.connect(spool_file(folder))) as connection, connection:
        connection.execute(f"UPDATE batches SET {column} = ? WHERE sequence = ?", (value, sequence))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("blob", b"\x01damaged"),
        ("rows", 7),
        ("rows", "x"),
        ("written_at", 1),
        ("batch_id", b"x" * 16),
        ("checksum", b""),
    ],
    ids=str,
)
async def test_it_is_set_aside_and_the_rest_goes_on(tmp_path: Path, column: str, value: Any) -> None:
    """Counted, and said once with its place and the reason."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = await fill(spool, 5)
    changed(tmp_path, column, value, 3)
    with capture_logs() as said:
        async with open_spool(tmp_path, max_bytes=ROOM) as spool:
            assert await drained(spool) == [*given[:2], *given[3:]]
            assert spool.statistics().damaged == 1
            assert await drained(spool) == []
    assert [(one["event"], one["sequence"]) for one in said] == [("spool.batch_damaged", 3)]
    assert "checksum" in said[0]["reason"]
    with closing(sqlite3.connect(spool_file(tmp_path))) as connection:
        assert [row[0] for row in connection.execute("SELECT sequence FROM damaged")] == [3]


async def test_a_version_that_is_unknown_is_kept_whole(tmp_path: Path) -> None:
    """A newer service wrote it: it is no loss to be thrown away."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = await fill(spool, 3)
    store = Store(tmp_path / "spool", ROOM)
    record = store.next(0)
    store.close()
    assert record is not None
    blob = b"\x09" + record.blob[1:]
    changed(tmp_path, "blob", blob, 1)
    changed(tmp_path, "checksum", _checksum(record, _digest(blob)), 1)
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        assert await drained(spool) == given[1:]
        assert spool.statistics().damaged == 1
    with closing(sqlite3.connect(spool_file(tmp_path))) as connection:
        assert connection.execute("SELECT blob, whole FROM damaged").fetchall() == [(blob, 1)]


async def test_what_is_damaged_does_not_pile_up(tmp_path: Path) -> None:
    """Of useless bytes the newest are kept, for whoever wants to know."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        await fill(spool, 60)
    for sequence in range(1, 51):
        changed(tmp_path, "rows", 0, sequence)
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        assert len(await drained(spool)) == 10
        assert spool.statistics().damaged == 50
    with closing(sqlite3.connect(spool_file(tmp_path))) as connection:
        assert connection.execute("SELECT count(*), min(sequence) FROM damaged").fetchone() == (20, 31)
