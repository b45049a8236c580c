"""Does a week of the default load stay under the cap? And what does a row take on disk?

The week is simulated at a scale: the shipped connectors' polls of seven days with one pair in so many, under a
``max_bytes`` scaled alike, with the janitor's own sweep after every simulated quarter of an hour. Prints the largest
size seen, as a share of the cap, and the bytes a row and a body take (what ``etl-actors check`` estimates with).

    python bench/retention_week.py [ONE_PAIR_IN]
"""

from __future__ import annotations

import logging
import random
import shutil
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import structlog
import trio
from uuid_utils.compat import uuid7

sys.path.insert(0, str(Path(__file__).parents[1]))

from etl_actors.messages import Batch, Checkpoint, Item, Transformed
from etl_actors.settings import ConnectorSettings
from etl_actors.settings.service import Database, Retention
from etl_actors.storage.opening import Storage, open_storage
from tests.postgres import reachable_folder

CAP = Retention().max_bytes
PAIRS = 3000
BODY_BYTES_A_PAIR = 512
POLL_SECONDS = 10
SWEEP_SECONDS = 900
POLLS_A_BATCH = 30
DAYS = 7


def ticker(pairs: int) -> tuple[bytes, tuple[Item, ...]]:
    """A body and the items of one answer over so many pairs, with as much in it as a real one."""
    dice = random.Random(1)
    rows = [
        {"symbol": f"S{n}USDT", "price": f"{dice.uniform(1, 90000):.8f}", "rest": f"{dice.random():.300f}"[:420]}
        for n in range(pairs)
    ]
    items = tuple(
        Item(
            coin_symbol=f"S{n}",
            quote_symbol="USDT",
            price=row["price"],
            volume_24h=f"{dice.uniform(1, 9e8):.8f}",
            price_change_24h=f"{dice.uniform(-9, 9):.3f}",
            extra=f'{{"pair":"{row["symbol"]}","high_24h":"{row["price"]}","low_24h":"{row["price"]}"}}',
        )
        for n, row in enumerate(rows)
    )
    return msgspec.json.encode(rows), items


def poll(connector_id: str, epoch: int, at: datetime, body: bytes, items: tuple[Item, ...]) -> Transformed:
    """One answer of a ticker."""
    return Transformed(
        extraction_id=uuid7(),
        connector_id=connector_id,
        api_name="Binance - 24hr Ticker",
        exchange="binance",
        epoch=epoch,
        received_at=at,
        response_time_ms=100,
        body=body,
        checkpoint=Checkpoint(),
        has_items=True,
        items=items,
    )


async def simulate(scale: int) -> bool:
    """Write the week, sweep as the janitor does, report."""
    folder = reachable_folder()
    cap = CAP // scale
    # Two tickers over all pairs make nearly all of the default load.
    connectors = tuple(ConnectorSettings(connector_id=name, url="http://x", source_id="binance") for name in ("a", "b"))
    try:
        async with open_storage(Database(), Retention(max_bytes=cap), connectors, data_dir=folder / "data") as storage:
            highest, kept_days = await write_week(storage, cap, max(1, PAIRS // scale))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"cap {cap / 1e6:.0f} MB ({CAP / 1e9:g} GB at 1/{scale}), highest {highest / 1e6:.1f} MB = {highest / cap:.1%}"
    )
    print(f"the newest {kept_days:.2f} days are kept")
    return highest <= cap


async def write_week(storage: Storage, cap: int, pairs: int) -> tuple[int, float]:
    """The highest size, measured after every batch of polls, and how many days are there at the end."""
    body, items = ticker(pairs)
    claims = {name: await storage.claims.claim(name) for name in ("a", "b")}
    start = datetime.now(UTC) - timedelta(days=DAYS)
    highest, swept = 0, start
    for batches, first in enumerate(range(0, DAYS * 86_400, POLL_SECONDS * POLLS_A_BATCH)):
        times = [start + timedelta(seconds=first + n * POLL_SECONDS) for n in range(POLLS_A_BATCH)]
        parts = tuple(poll(name, claims[name].epoch, at, body, items) for at in times for name in claims)
        await storage.writer.write(Batch(batch_id=uuid7(), parts=parts, left_by="size"))
        if times[-1] - swept > timedelta(seconds=SWEEP_SECONDS):
            swept = times[-1]
            highest = max(highest, await size(storage))
            await storage.retention.sweep(swept)
        if batches % 40 == 0:
            print(f"\r{first / 86_400:.1f} days, {await size(storage) / cap:.0%} of the cap", end="", flush=True)
    print()
    await report_row_sizes(storage)
    async with storage.writers.connection() as connection:
        cursor = await connection.execute("SELECT max(timestamp) - min(timestamp) FROM api_connector_items")
        row = await cursor.fetchone()
    return highest, row[0].total_seconds() / 86_400 if row else 0.0


async def size(storage: Storage) -> int:
    """Bytes of all tables, indexes included."""
    return int(await ask(storage, "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c WHERE relkind = 'r'"
                                  " AND relnamespace = 'public'::regnamespace"))  # fmt: skip


async def report_row_sizes(storage: Storage) -> None:
    """What ``etl_actors/budget.py`` estimates with."""
    for table in ("api_connector_items", "api_connector_data"):
        stored = await ask(
            storage,
            f"SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('{table}') WHERE isleaf",
        )
        rows = await ask(storage, f"SELECT count(*) FROM {table}")
        print(f"{table}: {stored / rows:.0f} bytes a row")
    bodies = await ask(storage, "SELECT avg(octet_length(response_data::text)) FROM api_connector_data")
    kept = await ask(storage, "SELECT avg(pg_column_size(response_data)) FROM api_connector_data")
    print(f"bodies: {bodies:.0f} bytes, stored as {kept:.0f} = {kept / bodies:.0%}")


async def ask(storage: Storage, query: str) -> float:
    """One number."""
    async with storage.writers.connection() as connection:
        cursor = await connection.execute(query.encode())
        row = await cursor.fetchone()
    return float(row[0] or 0) if row else 0.0


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    sys.exit(0 if trio.run(partial(simulate, wanted)) else 1)
