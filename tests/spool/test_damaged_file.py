"""A file that SQLite cannot be trusted with is set aside, and what can be read from it comes out first."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest

from etl_actors.errors import SpoolUnavailable
from etl_actors.messages import Batch
from etl_actors.spool import open_spool
from etl_actors.spool.connection import create
from etl_actors.spool.place import WITNESS_NAME, Place
from tests.spool.batches import batch, drained, fill, in_order, spool_file

ROOM = 64_000_000
PAGE = 4096


def overwrite(path: Path, start: int, content: bytes) -> None:
    """Change bytes of a file where they are."""
    with path.open("r+b") as file:
        file.seek(start)
        file.write(content)


async def made(folder: Path, count: int = 40) -> list[Batch]:
    """A closed spool of so many."""
    async with open_spool(folder, max_bytes=ROOM) as spool:
        return await fill(spool, count, noise=3000)


def set_aside(folder: Path) -> list[str]:
    """Names of what lies beside the spool, without the numbers."""
    return sorted(path.name.split("-")[0] for path in (folder / "spool").glob("spool.d*"))


@pytest.mark.parametrize(
    "content", [b"", b"x", b"no database" * 1000, bytes(100_000)], ids=["empty", "x", "text", "zeros"]
)
async def test_what_is_no_database_is_replaced(tmp_path: Path, content: bytes) -> None:
    """All of it is lost, and counted."""
    await made(tmp_path)
    spool_file(tmp_path).write_bytes(content)
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        assert spool.statistics().damaged == 40
        given = await fill(spool, 2)
        assert await drained(spool) == given


@pytest.mark.parametrize("page", [1, 2, 3], ids=["schema", "root", "place"])
async def test_no_single_page_is_worth_more_than_its_rows(tmp_path: Path, page: int) -> None:
    """Zeroing the page that leads to all others loses nothing: rows are found without it."""
    given = await made(tmp_path)
    overwrite(spool_file(tmp_path), (page - 1) * PAGE, bytes(PAGE))
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        assert spool.statistics().batches == 40
        given += await fill(spool, 3)
        assert await drained(spool) == given
        assert spool.statistics().damaged == 0
    assert set_aside(tmp_path) == []


async def test_no_bit_of_the_header_costs_a_batch(tmp_path: Path) -> None:
    """Whatever SQLite then thinks of the file."""
    given = await made(tmp_path / "made", count=5)
    for place in range(100):
        folder = tmp_path / str(place)
        shutil.copytree(tmp_path / "made", folder)
        content = bytearray(spool_file(folder).read_bytes())
        content[place] ^= 1 << place % 8
        spool_file(folder).write_bytes(content)
        async with open_spool(folder, max_bytes=ROOM) as spool:
            more = await fill(spool, 1)
            assert await drained(spool) == given + more
            assert spool.statistics().damaged == 0


async def test_it_is_drained_further_by_the_next_process(tmp_path: Path) -> None:
    """What was removed from it does not come back, and what was lost is not counted again."""
    given = await made(tmp_path)
    overwrite(spool_file(tmp_path), PAGE, random.randbytes(9 * PAGE))
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        lost = spool.statistics().damaged
        assert 0 < lost < 20
        found: list[Batch] = []
        for _ in range(5):
            first = await spool.first()
            assert first is not None
            found.append(first.batch)
            await spool.remove(first.sequence)
        given += await fill(spool, 2)
        left = spool.statistics().batches
    assert set_aside(tmp_path) == ["spool.damaged"]
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        assert spool.statistics().batches == left
        found += await drained(spool)
        assert in_order(found, given)
        assert len(found) + spool.statistics().damaged == 42
    assert set_aside(tmp_path) == ["spool.drained"]


async def test_damage_while_it_is_open_is_met_when_it_is_read(tmp_path: Path) -> None:
    """The call that meets it goes on with a new file."""
    await made(tmp_path, count=1000)
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        size = spool_file(tmp_path).stat().st_size
        for start in range(PAGE, size - PAGE, 10 * PAGE):
            overwrite(spool_file(tmp_path), start, random.randbytes(PAGE))
        more = await fill(spool, 2)
        found = await drained(spool)
        assert found[-2:] == more
        assert len(found) + spool.statistics().damaged == 1002
        assert len(found) > 700
        assert spool.statistics().batches == 0


async def test_without_a_witness_the_records_say_what_is_missing(tmp_path: Path) -> None:
    """The place that lies in the damaged file says how many there were."""
    given = await made(tmp_path)
    (tmp_path / "spool" / WITNESS_NAME).write_bytes(b"nonsense")
    overwrite(spool_file(tmp_path), 10 * PAGE, bytes(5 * PAGE))
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        found = await drained(spool)
        assert in_order(found, given)
        assert len(found) + spool.statistics().damaged == 40


async def test_a_large_damaged_spool_is_opened_within_two_seconds(tmp_path: Path) -> None:
    """A few hundred megabytes with its root gone: nothing is copied, only looked through."""
    async with open_spool(tmp_path, max_bytes=2_000_000_000) as spool:
        await spool.append(batch(noise=300_000_000))
        given = await fill(spool, 40, noise=3000)
    for damage in (False, True):
        if damage:
            overwrite(spool_file(tmp_path), PAGE, bytes(PAGE))
        started = time.monotonic()
        async with open_spool(tmp_path, max_bytes=2_000_000_000) as spool:
            assert time.monotonic() - started < 2
            first = await spool.first(after=1)
            assert first is not None
            assert first.batch == given[0]


async def test_a_folder_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    """That is nothing a new file would help with."""
    (tmp_path / "spool").write_text("in the way")
    with pytest.raises(SpoolUnavailable, match="cannot be used"):
        async with open_spool(tmp_path, max_bytes=ROOM):
            pass


async def test_only_one_process_has_it_open(tmp_path: Path) -> None:
    """A second one is told, and takes nothing from the first."""
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        given = await fill(spool, 2)
        with pytest.raises(SpoolUnavailable, match="locked"):
            async with open_spool(tmp_path, max_bytes=ROOM):
                pass
        given += await fill(spool, 1)
        assert await drained(spool) == given


async def test_a_file_that_was_half_made_is_no_hindrance(tmp_path: Path) -> None:
    """Killed before it had its name: it is made again."""
    folder = tmp_path / "spool"
    folder.mkdir()
    create(folder, Place())
    spool_file(tmp_path).rename(folder / "spool.new.sqlite3")
    async with open_spool(tmp_path, max_bytes=ROOM) as spool:
        assert await drained(spool) == []
        assert spool.statistics().damaged == 0
