"""The spool stays within its bounds, says so, and gives room back."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from etl_actors.errors import SpoolFull
from etl_actors.spool import open_spool
from tests.spool.batches import batch, drained, fill, fill_to_the_brim, spool_file, waiting

ROOM = 4_000_000


async def test_what_does_not_fit_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    """The folder stays below the bound, with everything that is in it."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = await fill_to_the_brim(spool, noise=30_000)
        assert len(given) > 60
        said = spool.statistics()
        assert said.batches == len(given)
        assert said.bytes <= said.max_bytes <= ROOM
        assert not await spool.has_room(30_000)
        assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()) <= ROOM
        assert await waiting(spool) == given
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        assert await drained(spool) == given


async def test_removing_makes_room(tmp_path: Path) -> None:
    """At once, for as much as was removed."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = await fill_to_the_brim(spool, noise=30_000)
        for sequence in (1, 2):
            await spool.remove(sequence)
        assert await spool.has_room(30_000)
        given += await fill(spool, 1, noise=30_000)
        given += await fill_to_the_brim(spool, noise=30_000)
        assert await drained(spool) == given[2:]


async def test_an_empty_spool_gives_the_disk_its_room_back(tmp_path: Path) -> None:
    """The file does not stay as large as it once was."""
    async with open_spool(tmp_path, max_bytes=40_000_000) as spool:
        await fill(spool, 100, noise=100_000)
        assert spool_file(tmp_path).stat().st_size > 5_000_000
        await drained(spool)
        assert spool_file(tmp_path).stat().st_size < 100_000
        assert spool.statistics().bytes < 100_000
        given = await fill(spool, 2)
        assert await drained(spool) == given


async def test_none_overtakes_another_that_did_not_fit(tmp_path: Path) -> None:
    """Of those that wait together a small one behind a large one is refused as well."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        await fill(spool, 20, noise=100_000)
        refused: list[str] = []

        async def append(name: str, noise: int) -> None:
            try:
                await spool.append(batch(noise=noise))
            except SpoolFull:
                refused.append(name)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(append, "leads", 10)
            await trio.testing.wait_all_tasks_blocked(0)
            nursery.start_soon(append, "large", 2_000_000)
            await trio.testing.wait_all_tasks_blocked(0)
            nursery.start_soon(append, "small", 10)
        assert refused[:1] == ["large"]
        assert await spool.has_room(1000)


async def test_no_room_at_all_is_a_full_spool(tmp_path: Path) -> None:
    """A bound of nothing means that nothing waits on disk."""
    async with open_spool(tmp_path, max_bytes=0) as spool:
        assert spool.statistics().full
        assert not await spool.has_room(1)
        with pytest.raises(SpoolFull):
            await spool.append(batch())


async def test_a_damaged_file_takes_part_of_the_room(tmp_path: Path) -> None:
    """Until it is drained both files are within the bound."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = await fill_to_the_brim(spool, noise=30_000)
    with spool_file(tmp_path).open("r+b") as file:
        file.seek(4096)
        file.write(bytes(4096))
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        assert spool.statistics().batches == len(given)
        with pytest.raises(SpoolFull):
            await spool.append(batch(noise=30_000))
        assert await drained(spool) == given
        await spool.append(batch(noise=30_000))
