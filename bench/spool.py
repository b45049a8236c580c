"""What does it cost to keep batches on disk, and how fast do they come back?

Appends a second where 1, 10 and 100 wait at the same time, and the rate at which they are drained, each beside SQLite
alone with the same bytes and the same number of commits in the same run: an fsync is what a disk makes of it. Then how
long a spool of some hundred megabytes takes to open, whole and damaged, and how long the event loop waits for large
batches. Needs about 1 GB of disk.

    python bench/spool.py [FOLDER]
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import trio
from uuid_utils.compat import uuid7

sys.path.insert(0, str(Path(__file__).parents[1]))

from etl_actors.messages import Batch, Checkpoint, Item, Transformed
from etl_actors.spool import Spool, open_spool
from etl_actors.spool.connection import NAME, create, opened, transaction
from etl_actors.spool.encoding import decoded, encoded
from etl_actors.spool.pages import PAGE
from etl_actors.spool.place import Place
from etl_actors.spool.record import fresh
from etl_actors.spool.spool import FOLDER

ITEMS = 100
BATCHES = 3000
LARGE_BATCHES = 60_000
ROOM = 4_000_000_000


def batch(items: int = ITEMS, body: bytes | None = None) -> Batch:
    """One answer of an exchange, as a connector of tickers reads it."""
    rows = tuple(
        Item(
            coin_name=f"COIN{number}USDT",
            coin_symbol=f"COIN{number}",
            quote_symbol="USDT",
            price=f"{random.uniform(0, 90000):.8f}",
            volume_24h=f"{random.uniform(0, 1e9):.8f}",
            price_change_24h=f"{random.uniform(-9, 9):.3f}",
        )
        for number in range(items)
    )
    part = Transformed(
        extraction_id=uuid7(),
        connector_id="binance_24hr",
        api_name="Binance 24hr",
        exchange="binance",
        epoch=3,
        received_at=datetime.now(UTC),
        response_time_ms=81,
        body=msgspec.json.encode(rows) if body is None else body,
        checkpoint=Checkpoint(fingerprint=b"f" * 16, body_hash=b"h" * 32),
        has_items=True,
        items=rows,
    )
    return Batch(batch_id=uuid7(), parts=(part,), left_by="age")


async def append_all(spool: Spool, batches: list[Batch], at_once: int) -> float:
    """Seconds until all are stored, so many of them waiting at any time."""

    async def append_some(some: list[Batch]) -> None:
        for one in some:
            await spool.append(one)

    started = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for first in range(at_once):
            nursery.start_soon(append_some, batches[first::at_once])
    return time.perf_counter() - started


async def drain(spool: Spool) -> float:
    """Seconds until all are read and removed, one by one."""
    started = time.perf_counter()
    while (spooled := await spool.first()) is not None:
        await spool.remove(spooled.sequence)
    return time.perf_counter() - started


def plain_sqlite(folder: Path, batches: list[Batch], at_once: int) -> tuple[float, float]:
    """The same rows by SQLite alone, encoded beforehand: seconds to insert them, and to read and delete them."""
    folder.mkdir()
    create(folder, Place())
    records = [fresh(one).placed(number, 0) for number, one in enumerate(batches, 1)]
    rows = [msgspec.structs.astuple(record) for record in records]
    with closing(opened(folder / NAME, 4_194_304)) as connection:
        started = time.perf_counter()
        for first in range(0, len(rows), at_once):
            with transaction(connection):
                connection.executemany("INSERT INTO batches VALUES (?,?,?,?,?,?,?,?)", rows[first : first + at_once])
        inserted = time.perf_counter() - started
        started = time.perf_counter()
        while (row := connection.execute("SELECT * FROM batches ORDER BY sequence LIMIT 1").fetchone()) is not None:
            with transaction(connection):
                connection.execute("DELETE FROM batches WHERE sequence = ?", row[:1])
        return inserted, time.perf_counter() - started


async def longest_pause(spool: Spool, one: Batch) -> float:
    """Seconds that the event loop was away at most while ``one`` went in and came out."""
    longest = 0.0
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                nonlocal longest
                while True:
                    before = time.perf_counter()
                    await trio.sleep(0.001)
                    longest = max(longest, time.perf_counter() - before - 0.001)

            nursery.start_soon(watch)
            await trio.sleep(0.05)
            longest = 0.0
            await spool.append(one)
            spooled = await spool.first()
            assert spooled is not None
            await spool.remove(spooled.sequence)
            scope.cancel()
    return longest


def encoding(batches: list[Batch]) -> None:
    """What a batch costs before SQLite sees it."""
    started = time.perf_counter()
    blobs = [encoded(one) for one in batches]
    middle = time.perf_counter()
    for blob, size in blobs:
        decoded(blob, size)
    ended = time.perf_counter()
    small, large = sum(len(blob) for blob, _ in blobs), sum(size for _, size in blobs)
    print(
        f"a batch of {ITEMS} items: {large / len(blobs):,.0f} bytes, compressed {small / len(blobs):,.0f}"
        f" ({large / small:.1f} to 1); encoded in {(middle - started) / len(blobs) * 1e3:.2f} ms,"
        f" decoded in {(ended - middle) / len(blobs) * 1e3:.2f} ms"
    )


async def large(folder: Path, batches: list[Batch]) -> None:
    """How long some hundred megabytes take to open."""
    async with open_spool(folder, max_bytes=ROOM) as spool:
        await append_all(spool, (batches * (LARGE_BATCHES // len(batches) + 1))[:LARGE_BATCHES], 500)
    path = folder / FOLDER / NAME
    print(f"a spool of {LARGE_BATCHES} batches, {path.stat().st_size / 1e6:.0f} MB:")
    for what in ("whole", "its root page zeroed"):
        if what != "whole":
            with path.open("r+b") as file:
                file.seek(PAGE)
                file.write(bytes(PAGE))
        started = time.perf_counter()
        async with open_spool(folder, max_bytes=ROOM) as spool:
            opened_in = time.perf_counter() - started
            first = await spool.first()
            assert first is not None
            print(f"  {what}: opened in {opened_in:.2f} s, {spool.statistics().batches} batches wait")


async def main(folder: Path) -> None:
    """All of it, in ``folder``."""
    batches = [batch() for _ in range(BATCHES)]
    rows = sum(one.rows for one in batches)
    encoding(batches)
    for at_once in (1, 10, 100):
        part = batches[: BATCHES // 5 if at_once == 1 else BATCHES]
        inserted, _ = plain_sqlite(folder / f"plain{at_once}", part, at_once)
        async with open_spool(folder / f"spool{at_once}", max_bytes=ROOM) as spool:
            seconds = await append_all(spool, part, at_once)
            items = len(part) * ITEMS / seconds
            print(
                f"{at_once:3} at once: {len(part) / seconds:8,.0f} appends/s, {items:9,.0f} items/s;"
                f" SQLite alone {len(part) / inserted:8,.0f} ({inserted / seconds:.0%} of it)"
            )
    _, deleted = plain_sqlite(folder / "plain", batches, 100)
    async with open_spool(folder / "spool100", max_bytes=ROOM) as spool:
        seconds = await drain(spool)
        print(
            f"drained: {rows / seconds:,.0f} rows/s; SQLite alone {rows / deleted:,.0f} ({deleted / seconds:.0%} of it)"
        )
        for count, body in ((10_000, None), (300_000, b"[]"), (0, random.randbytes(64_000_000))):
            one = batch(count, body)
            pause = await longest_pause(spool, one)
            print(f"{count} items and a body of {len(one.parts[0].body) / 1e6:.0f} MB: loop away {pause * 1e3:.0f} ms")
    await large(folder / "large", batches)


if __name__ == "__main__":
    base = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    made = Path(tempfile.mkdtemp(dir=base))
    try:
        trio.run(main, made)
    finally:
        shutil.rmtree(made)
