"""Whatever becomes of the file: it opens, what is lost is counted, and what is read is right."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from etl_actors.messages import Batch
from etl_actors.spool import open_spool
from tests.spool.batches import batch, drained, in_order, log_file, spool_file

ROOM = 8_000_000  # with a log so short that the newest are in it and the oldest in the file
PAGE = 4096


def flip_a_bit(content: bytearray, chance: random.Random) -> None:
    """One, anywhere."""
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def cut_it_off(content: bytearray, chance: random.Random) -> None:
    """At any place."""
    del content[chance.randrange(len(content)) :]


def zero_a_page(content: bytearray, chance: random.Random) -> None:
    """Any."""
    start = chance.randrange(len(content)) // PAGE * PAGE
    content[start : start + PAGE] = bytes(len(content[start : start + PAGE]))


DAMAGES: list[Callable[[bytearray, random.Random], None]] = [flip_a_bit, cut_it_off, zero_a_page]


async def filled(folder: Path, *, closed: bool) -> list[Batch]:
    """A spool of some dozens of batches, of which the oldest were removed; as after a kill where it is not closed."""
    async with open_spool(folder / "made", max_bytes=ROOM) as spool:
        given = [batch(noise=noise) for noise in [10, 100, 3000, 9000, 60_000] * 10]
        for one in given[:30]:
            await spool.append(one)
        for sequence in range(1, 11):
            await spool.remove(sequence)
        for one in given[30:]:
            await spool.append(one)
        if not closed:
            shutil.copytree(folder / "made", folder / "kept")
    if closed:
        shutil.copytree(folder / "made", folder / "kept")
    return given


@pytest.mark.parametrize(("closed", "damaged_file"), [(True, spool_file), (False, spool_file), (False, log_file)])
@pytest.mark.parametrize("damage", DAMAGES)
async def test_it_opens_and_counts_what_is_lost(
    tmp_path: Path,
    damage: Callable[[bytearray, random.Random], None],
    damaged_file: Callable[[Path], Path],
    closed: bool,
) -> None:
    """Damage at any place, of the file or of its log: within two seconds, and nothing is read that was not written."""
    given = await filled(tmp_path, closed=closed)
    for place in range(25):
        folder = tmp_path / str(place)
        shutil.copytree(tmp_path / "kept", folder)
        content = bytearray(damaged_file(folder).read_bytes())
        damage(content, random.Random(place))
        damaged_file(folder).write_bytes(content)
        started = time.monotonic()
        async with open_spool(folder, max_bytes=ROOM) as spool:
            assert time.monotonic() - started < 2
            found = await drained(spool)
            assert in_order(found, given[10:]), place
            said = spool.statistics()
            assert len(found) + said.damaged == 40, place
            await spool.append(batch())
            assert len(await drained(spool)) == 1
        async with open_spool(folder, max_bytes=ROOM) as spool:
            assert spool.statistics().damaged == said.damaged
            assert await spool.first() is None
