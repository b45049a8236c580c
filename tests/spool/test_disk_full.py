"""On a disk that is full to the last block the spool can still be read and emptied."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from etl_actors.errors import SpoolFull
from etl_actors.spool import open_spool
from tests.spool.batches import drained, fill, fill_to_the_brim

DISK = 32_000_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    image, folder = tmp_path / "disk.img", tmp_path / "disk"
    image.write_bytes(b"")
    os.truncate(image, DISK)
    folder.mkdir()
    try:
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True, capture_output=True)
        subprocess.run(["mount", "-o", "loop", image, folder], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a disk of its own cannot be mounted here: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True, capture_output=True)


def fill_up(folder: Path) -> Path:
    """Somebody else writes until there is not one block left."""
    hog = folder / "hog"
    with hog.open("ab", buffering=0) as file:
        for size in (1_048_576, 4096, 512, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return hog


async def test_a_full_disk_takes_nothing_and_gives_everything(disk: Path) -> None:
    """Appending is refused; reading and removing go on; when there is room again, so does appending."""
    async with open_spool(disk, max_bytes=DISK) as spool:
        given = await fill(spool, 100, noise=20_000)
        hog = fill_up(disk)
        given += await fill_to_the_brim(spool, noise=20_000)
        assert spool.statistics().full
        assert not await spool.has_room(1000)
        assert await drained(spool) == given
        hog.unlink()
        given = await fill(spool, 5, noise=20_000)
        assert not spool.statistics().full
        assert await drained(spool) == given


async def test_it_opens_on_a_full_disk(disk: Path) -> None:
    """What waits can be read and removed there as well."""
    async with open_spool(disk, max_bytes=DISK) as spool:
        given = await fill(spool, 60, noise=20_000)
    fill_up(disk)
    async with open_spool(disk, max_bytes=DISK) as spool:
        assert spool.statistics().full
        assert await drained(spool) == given


async def test_a_damaged_spool_opens_on_a_full_disk(disk: Path) -> None:
    """A new file is made in the ballast's place, and the damaged one is drained where it lies."""
    async with open_spool(disk, max_bytes=DISK) as spool:
        given = await fill(spool, 60, noise=20_000)
    fill_up(disk)
    with (disk / "spool" / "spool.sqlite3").open("r+b") as file:
        file.seek(4096)
        file.write(bytes(4096))
    async with open_spool(disk, max_bytes=DISK) as spool:
        assert await drained(spool) == given


async def test_no_spool_can_be_made_on_a_full_disk(disk: Path) -> None:
    """That is the one thing that has to wait for room."""
    fill_up(disk)
    with pytest.raises(SpoolFull, match="full"):
        async with open_spool(disk, max_bytes=DISK):
            pass
