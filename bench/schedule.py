"""Does the schedule hold? Eight connectors at a 1 s interval for 60 s against the sandbox.

Prints the polls of each connector and how far apart they started. The limit: at least 59 polls each, and 99 in 100
starts within 50 ms of their second, on an idle machine. Starts are taken where they arrive, at the sandbox.

    python bench/schedule.py [SECONDS]
"""

from __future__ import annotations

import shutil
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).parents[1]))

from etl_actors.demonstration import open_sandbox_process
from tests.postgres import reachable_folder
from tests.service.running import pointed_config, running

PATHS = {
    "binance_orderbook": "/api/v3/depth",
    "binance_prices": "/api/v3/ticker/price",
    "binance_24hr": "/api/v3/ticker/24hr",
    "coingecko_global": "/api/v3/global",
    "coingecko_top": "/api/v3/coins/markets",
    "coingecko_trending": "/api/v3/search/trending",
    "cryptocompare_multi": "/data/pricemultifull",
    "cryptocompare_top": "/data/top/mktcapfull",
}


async def measure(seconds: float) -> bool:
    """Run the service, collect when each request arrived, print the figures."""
    folder = reachable_folder()
    try:
        async with open_sandbox_process() as origins:
            config = pointed_config(folder / "config", origins, interval=1)
            async with running(config, folder / "data") as service:
                await service.until("/api/status", lambda status: len(status["connectors"]["running"]) == 8)
                await trio.sleep(2)
                for origin in origins.values():
                    await service.client.delete(f"{origin}/sandbox/requests")
                await trio.sleep(seconds)
                seen = []
                for origin in set(origins.values()):
                    seen += (await service.client.get(f"{origin}/sandbox/requests")).json()["requests"]
                await service.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report({name: sorted({one["time"] for one in seen if one["path"] == path}) for name, path in PATHS.items()})


def report(starts: dict[str, list[float]]) -> bool:
    """Print a line a connector and the figures over all; whether the limits are met."""
    deviations: list[float] = []
    for name, times in starts.items():
        gaps = [later - earlier for earlier, later in pairwise(times)]
        own = sorted(abs(gap - 1.0) * 1000 for gap in gaps)
        deviations += own
        print(f"{name:22} {len(times):4d} polls   deviation p50 {own[len(own) // 2]:6.2f} ms   max {own[-1]:7.2f} ms")
    deviations.sort()
    p99 = deviations[int(len(deviations) * 0.99)]
    fewest = min(map(len, starts.values()))
    print(f"fewest polls {fewest}, start-to-start deviation p99 {p99:.2f} ms (limit 50 ms)")
    return p99 < 50


if __name__ == "__main__":
    wanted = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    sys.exit(0 if trio.run(partial(measure, wanted)) else 1)
