"""Batches for tests of the spool, and how they look to whoever compares them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from uuid_utils.compat import uuid7

from etl_actors.errors import SpoolFull
from etl_actors.messages import Batch, Item
from etl_actors.spool import Spool
from tests.actors.parts import transformed


def batch(items: int = 20, *, noise: int = 0, connector_id: str = "one") -> Batch:
    """A batch of one part; ``noise`` is how many bytes of it cannot be compressed."""
    rows = tuple(
        Item(coin_symbol=f"C{number}", quote_symbol="USDT", price=f"{number}.000123400", volume_24h="1234567.8900")
        for number in range(items)
    )
    part = transformed(connector_id, rows, body=b'"' + os.urandom(noise) + b'"')
    return Batch(batch_id=uuid7(), parts=(part,), left_by="size")


async def fill(spool: Spool, count: int, *, noise: int = 0) -> list[Batch]:
    """Append so many, one after the other."""
    batches = [batch(noise=noise) for _ in range(count)]
    for one in batches:
        await spool.append(one)
    return batches


async def fill_to_the_brim(spool: Spool, *, noise: int) -> list[Batch]:
    """Append until it is full; what is in it then."""
    given: list[Batch] = []
    while True:
        one = batch(noise=noise)
        try:
            await spool.append(one)
        except SpoolFull:
            return given
        given.append(one)


async def waiting(spool: Spool) -> list[Batch]:
    """Everything that waits, in order."""
    return [spooled.batch async for spooled in spool]


async def drained(spool: Spool) -> list[Batch]:
    """Everything that waits, in order, removed one by one as a loader would."""
    found: list[Batch] = []
    while (spooled := await spool.first()) is not None:
        found.append(spooled.batch)
        await spool.remove(spooled.sequence)
    return found


def in_order(found: Iterable[Batch], of: list[Batch]) -> bool:
    """Whether ``found`` are some of ``of``, byte for byte, each once and in the same order."""
    places = {one.batch_id: place for place, one in enumerate(of)}
    numbers = [places[one.batch_id] for one in found]
    return numbers == sorted(set(numbers)) and all(one == of[place] for one, place in zip(found, numbers, strict=True))


def spool_file(data_dir: Path) -> Path:
    """Where the rows are."""
    return data_dir / "spool" / "spool.sqlite3"


def log_file(data_dir: Path) -> Path:
    """Where the newest rows are while the spool is open, or after it was killed."""
    return data_dir / "spool" / "spool.sqlite3-wal"
