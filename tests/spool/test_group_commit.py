"""What waits at the same time is committed together."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import trio

from etl_actors.messages import Batch
from etl_actors.spool import Spool, open_spool
from etl_actors.spool.connection import NAME, create, opened
from etl_actors.spool.pages import Log
from etl_actors.spool.place import Place
from tests.spool.batches import batch, log_file, waiting

ROOM = 64_000_000


async def append_at_once(spool: Spool, batches: list[Batch]) -> None:
    """Each by a task of its own."""
    async with trio.open_nursery() as nursery:
        for one in batches:
            nursery.start_soon(spool.append, one)


async def test_a_hundred_that_wait_take_few_commits(tmp_path: Path) -> None:
    """The first goes alone, and what came meanwhile goes with the next."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = [batch(items=1) for _ in range(100)]
        await append_at_once(spool, given)
        assert len(Log(log_file(tmp_path)).commits) <= 5
        found = await waiting(spool)
        assert sorted(found, key=given.index) == given


async def test_one_after_the_other_takes_a_commit_each(tmp_path: Path) -> None:
    """Nobody waits for company that may never come."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        for _ in range(10):
            await spool.append(batch(items=1))
        assert len(Log(log_file(tmp_path)).commits) == 10


async def test_many_large_ones_are_committed_in_several_groups(tmp_path: Path) -> None:
    """A transaction stays small, and so does the log."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = [batch(items=1, noise=400_000) for _ in range(20)]
        await append_at_once(spool, given)
        assert log_file(tmp_path).stat().st_size < 8_000_000
        assert spool.statistics().batches == 20


def test_each_commit_is_fsynced(tmp_path: Path) -> None:
    """With its write-ahead log SQLite does that at FULL (2), and at no lower setting."""
    create(tmp_path, Place())
    with closing(opened(tmp_path / NAME, 262_144)) as connection:
        (setting,) = connection.execute("PRAGMA synchronous").fetchone()
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    assert setting == 2
    assert mode in {"wal", b"wal"}
