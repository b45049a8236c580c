"""A body is put together under a bound, and a large one waits on disk."""

from __future__ import annotations

import os
import random
import tracemalloc
from pathlib import Path

import pytest

from etl_actors.errors import PollFailed
from etl_actors.sources.gathering import Gathering

BOUND = 64_000_000


def pieces(total: int, seed: int = 1) -> list[bytes]:
    """So many bytes, in pieces of any size."""
    chance, made = random.Random(seed), []
    while total:
        size = min(total, chance.choice((1, 100, 65_536, 300_000, 3_000_000)))
        made.append(chance.randbytes(size))
        total -= size
    return made


@pytest.mark.parametrize("size", [0, 1, 1_048_576, 8_388_608, 8_388_609, 20_000_000])
async def test_it_comes_out_as_it_went_in(size: int) -> None:
    """Whatever its size, and that of its pieces."""
    given, gathering = pieces(size), Gathering(BOUND)
    for piece in given:
        gathering.add(piece)
    assert await gathering.whole() == b"".join(given)
    gathering.close()


async def test_one_that_never_ends_costs_little_memory() -> None:
    """Its bound is on disk."""
    gathering, piece = Gathering(BOUND), os.urandom(65_536)
    tracemalloc.start()
    try:
        for _ in range(BOUND // len(piece)):
            gathering.add(piece)
        with pytest.raises(PollFailed, match="larger than 64,000,000 bytes"):
            gathering.add(piece)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gathering.close()
    assert most < 24_000_000


async def test_where_nothing_can_be_written_it_stays_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container may have no folder for it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    given, gathering = pieces(20_000_000), Gathering(BOUND)
    for piece in given:
        gathering.add(piece)
    assert await gathering.whole() == b"".join(given)
    gathering.close()
