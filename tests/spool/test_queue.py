"""What is appended comes out in order, exactly, once it is removed never again, and outlives the process."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from etl_actors.errors import SpoolUnavailable
from etl_actors.messages import Batch
from etl_actors.spool import open_spool
from tests.spool.batches import batch, drained, fill, waiting

ROOM = 64_000_000


async def test_batches_come_out_as_they_went_in(tmp_path: Path) -> None:
    """In their order, byte for byte, small and large."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = [batch(items=items, noise=noise) for items, noise in [(1, 0), (0, 500_000), (3000, 10), (5, 5000)]]
        for one in given:
            await spool.append(one)
        assert await drained(spool) == given
        assert await spool.first() is None


async def test_what_waits_outlives_the_process(tmp_path: Path) -> None:
    """Reopened, it goes on where it was, and new batches queue behind."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = await fill(spool, 5)
        first = await spool.first()
        assert first is not None
        await spool.remove(first.sequence)
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given += await fill(spool, 2)
        assert spool.statistics().batches == 6
        assert await drained(spool) == given[1:]


async def test_sequences_are_never_given_twice(tmp_path: Path) -> None:
    """Also when everything before was removed, so that nobody removes another batch than was meant."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        await fill(spool, 3)
        await drained(spool)
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        await fill(spool, 1)
        first = await spool.first()
        assert first is not None
        assert first.sequence == 4


async def test_walking_and_removing_go_together(tmp_path: Path) -> None:
    """A walk sees what is appended meanwhile, and each batch once."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = await fill(spool, 3)
        found: list[Batch] = []
        async for spooled in spool:
            found.append(spooled.batch)
            await spool.remove(spooled.sequence)
            if len(found) == 2:
                given += await fill(spool, 1)
        assert found == given
        assert spool.statistics().batches == 0


async def test_several_are_removed_together(tmp_path: Path) -> None:
    """The others wait on, wherever they are in the queue, and are counted right; also for the next process."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = await fill(spool, 6)
        await spool.remove(1, 2, 5)
        left = [given[2], given[3], given[5]]
        assert await waiting(spool) == left
        assert (spool.statistics().batches, spool.statistics().rows) == (3, sum(one.rows for one in left))
        await spool.remove(3, 4)
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        assert await drained(spool) == [given[5]]


async def test_removing_what_is_not_there_changes_nothing(tmp_path: Path) -> None:
    """A caller that was cancelled may ask twice."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = await fill(spool, 2)
        await spool.remove(1)
        await spool.remove(1)
        await spool.remove(99)
        assert await waiting(spool) == given[1:]


async def test_the_statistics_say_what_waits(tmp_path: Path) -> None:
    """Batches, rows and how old the oldest is, across a restart too."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        assert spool.statistics().oldest_seconds is None
        given = await fill(spool, 3)
        filled = spool.statistics()
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        said = spool.statistics()
        assert (said.batches, said.rows) == (filled.batches, filled.rows) == (3, sum(one.rows for one in given))
        assert said.oldest_seconds is not None
        assert 0 <= said.oldest_seconds < 60
        assert 0 < said.bytes < said.max_bytes
        assert not said.full
        await drained(spool)
        assert spool.statistics().oldest_seconds is None


async def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    """What waits may hold secrets of providers' answers."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        await fill(spool, 1)
        folder = tmp_path / "spool"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


async def test_a_cancelled_append_is_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    """And the others that waited with it are stored."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = [batch(items=1) for _ in range(40)]
        acknowledged: list[Batch] = []

        async def append(one: Batch, scope: trio.CancelScope) -> None:
            with scope:
                await spool.append(one)
                acknowledged.append(one)

        scopes = [trio.CancelScope() for _ in given]
        async with trio.open_nursery() as nursery:
            for one, scope in zip(given, scopes, strict=True):
                nursery.start_soon(append, one, scope)
            await trio.lowlevel.checkpoint()
            for scope in scopes[::3]:
                scope.cancel()
        found = await waiting(spool)
        assert {one.batch_id for one in acknowledged} <= {one.batch_id for one in found}
        assert all(one == next(each for each in given if each.batch_id == one.batch_id) for one in found)
        assert len(acknowledged) >= 26
        await spool.append(batch())


async def test_closing_waits_for_what_is_under_way(tmp_path: Path) -> None:
    """Those in the line are stored; whoever comes later is told that it is closed."""
    given = [batch(items=items) for items in (500, 5000, *range(8))]
    async with trio.open_nursery() as nursery:
        async with open_spool(tmp_path, max_bytes=ROOM) as spool:
            for one in given:
                nursery.start_soon(spool.append, one)
            await wait_all_tasks_blocked(0)
        for call in (spool.append(batch()), spool.first(), spool.remove(1), spool.has_room(1)):
            with pytest.raises(SpoolUnavailable, match="closed"):
                await call
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        found = await waiting(spool)
        assert sorted(found, key=given.index) == given


async def test_a_cancelled_owner_still_closes_it(tmp_path: Path) -> None:
    """What was in the line is on disk afterwards."""

    with trio.CancelScope() as scope:
        async with open_spool(tmp_path, max_bytes=ROOM) as spool:
            await fill(spool, 2)
            scope.cancel()
            await trio.sleep_forever()
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        assert len(await waiting(spool)) == 2
