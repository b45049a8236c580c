"""Are the REST routes fast on ten million items? Fills a database, then times each question.

Every figure stands beside ``SELECT 1`` through the same HTTP service (``/api/status`` does no more), measured in the
same run, since machines differ. Needs about 4 GB of disk and some minutes.

    python bench/queries.py [MILLIONS]
"""

from __future__ import annotations

import shutil
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

import trio

sys.path.insert(0, str(Path(__file__).parents[1]))

from etl_actors.settings import ConnectorSettings
from etl_actors.settings.service import Database, Retention
from etl_actors.storage.opening import open_storage
from tests.postgres import reachable_folder
from tests.service.running import running

PAIRS = 2500
RUNS = 9
QUESTIONS = {
    "newest items": "/api/data/items?limit=100",
    "newest of a connector": "/api/data/items/binance_24hr?limit=100",
    "a common symbol": "/api/data/items/symbol/S7?limit=100",
    "a symbol that is not there": "/api/data/items/symbol/NOSUCH",
    "an exchange": "/api/data/items?exchange=binance&limit=100",
    "an exchange that is not there": "/api/data/items?exchange=nosuch",
    "an hour in the middle": "/api/data/items?since={middle}&until={later}&limit=100",
    "symbol, connector and time": "/api/data/items?symbol=s7&connector_id=binance_24hr&since={middle}&limit=100",
    "oldest first": "/api/data/items?order=timestamp&limit=100",
    "ten thousand": "/api/data/items?limit=10000",
    "offset 100,000": "/api/data/items?offset=100000&limit=100",
    "newest of each pair": "/api/data/binance_24hr/items/latest?limit=10000",
    "newest response": "/api/data/binance_24hr/latest",
}

FILL = """
INSERT INTO api_connector_items
SELECT %(first)s + n, c, c, 'binance', NULL, 'S' || (n %% 2500), 'USDT', n, NULL, n * 1.5, 0.5, NULL, %(at)s, 12,
       jsonb_build_object('pair', 'S' || (n %% 2500) || 'USDT')
FROM generate_series(1, 2500) AS n, (VALUES ('binance_24hr'), ('binance_prices')) AS v (c)
"""


async def fill(data_dir: Path, millions: float) -> tuple[datetime, datetime]:
    """A history of polls, ten seconds apart, that ends now; the service's own schema and partitions."""
    polls = int(millions * 1_000_000 / (2 * PAIRS))
    now = datetime.now(UTC)
    start = now - timedelta(seconds=10 * polls)
    connectors = tuple(
        ConnectorSettings(connector_id=name, url="http://127.0.0.1", source_id="binance")
        for name in ("binance_24hr", "binance_prices")
    )
    async with open_storage(Database(), Retention(max_bytes=10**13), connectors, data_dir=data_dir) as storage:
        book = storage.retention._partitions
        book.width = timedelta(hours=1)
        times = [start + timedelta(seconds=10 * poll) for poll in range(polls)]
        async with storage.writers.connection() as connection:
            await book.ensure(connection, "api_connector_items", times)
            for poll, at in enumerate(times):
                await connection.execute(FILL, {"first": poll * 2 * PAIRS, "at": at})
                for name in ("binance_24hr", "binance_prices"):
                    await connection.execute(
                        "INSERT INTO row_counts AS c VALUES ('api_connector_items', %s, %s, 2500)"
                        " ON CONFLICT (table_name, partition_start, connector_id) DO UPDATE SET rows = c.rows + 2500",
                        (book.start_of("api_connector_items", at), name),
                    )
                if poll % 200 == 0:
                    print(f"\r{poll * 2 * PAIRS / 1e6:.1f} million", end="", flush=True)
            await connection.execute(
                "INSERT INTO item_latest SELECT connector_id, coin_symbol || '/USDT', timestamp, id"
                " FROM api_connector_items WHERE timestamp = %s AND connector_id = 'binance_24hr'",
                (times[-1],),
            )
            await connection.execute("ANALYZE api_connector_items")
    print(f"\r{polls * 2 * PAIRS / 1e6:.1f} million items in {polls} polls")
    return start + (now - start) / 2, start + (now - start) / 2 + timedelta(hours=1)


async def measure(millions: float) -> None:
    """Fill, ask, print."""
    folder = reachable_folder()
    try:
        middle, later = await fill(folder / "data", millions)
        (folder / "config" / "connectors").mkdir(parents=True)
        (folder / "config" / "service.toml").write_text("[retention]\nmax_bytes = 10_000_000_000_000\n")
        async with running(folder / "config", folder / "data") as service:
            unit = await timed(service.client, "/healthz")
            print(f"{'an answer without the database':34} {unit:8.1f} ms      1.0")
            for name, path in QUESTIONS.items():
                filled = path.format(middle=f"{middle:%Y-%m-%dT%H:%M:%SZ}", later=f"{later:%Y-%m-%dT%H:%M:%SZ}")
                taken = await timed(service.client, filled)
                print(f"{name:34} {taken:8.1f} ms {taken / unit:8.1f}")
            await service.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def timed(client: object, path: str) -> float:
    """The median of some runs, in milliseconds; the first one warms up."""
    taken = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        response = await client.get(path)  # type: ignore[attr-defined]  # an httpx client
        taken.append((time.perf_counter() - began) * 1000)
        if response.status_code not in {200, 404}:
            print(f"  {path}: {response.status_code} {response.text[:200]}")
    return median(taken[1:])


if __name__ == "__main__":
    trio.run(partial(measure, float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
