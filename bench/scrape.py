"""What does a scrape of ``/metrics`` cost? 500 connectors, polled every 10 s, and a scrape a second.

The service runs with a clock beside it; a client in a process of its own scrapes. Printed are, without scrapes and with
them, how late the loop gave turns, and how much its thread worked between two of them (the limit is 50 ms; other
processes of this machine do not count there); how long a scrape takes, and how large it is. Then what an observation
costs, which each event pays twice.

    python bench/scrape.py [CONNECTORS]
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import trio

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.loop_lag import TICK_SECONDS, report
from etl_actors.demonstration import open_sandbox_process
from etl_actors.logs import configure_logs
from etl_actors.messages import Checkpoint, Transformed
from etl_actors.metrics import Sources, Timings
from etl_actors.service import serve
from etl_actors.settings import read_configuration
from tests.postgres import reachable_folder

SECONDS = 15
SCRAPES = 15
CONNECTOR = """
[[connectors]]
connector_id = "connector_{number}"
url = "{origin}/api/v3/depth?symbol=BTCUSDT&limit=5"
interval_seconds = 10
stale_after_seconds = 60
[connectors.items]
single = true
price = "mid(bids[0][0], asks[0][0])"
"""
CLIENT = """
import sys, time, urllib.request
for _ in range(int(sys.argv[2])):
    began = time.perf_counter()
    body = urllib.request.urlopen(sys.argv[1] + "/metrics").read()
    taken = time.perf_counter() - began
    print(f"{taken * 1000:.0f} {len(body)} {sum(not line.startswith(b'#') for line in body.splitlines())}")
    time.sleep(max(1 - taken, 0))
"""


async def measure(connectors: int) -> bool:
    """Without scrapes, with them, and the parts."""
    folder = reachable_folder()
    quiet, scraped = Watch(), Watch()
    reads = _time_reads()
    try:
        async with open_sandbox_process() as origins:
            (folder / "config" / "connectors").mkdir(parents=True)
            text = "".join(
                CONNECTOR.format(number=number, origin=origins["https://api.binance.com"])
                for number in range(connectors)
            )
            (folder / "config" / "connectors" / "many.toml").write_text(text)
            async with trio.open_nursery() as nursery:
                run = partial(
                    serve, read_configuration(folder / "config", {}), data_dir=folder / "data", host=None, port=0
                )
                address = await nursery.start(run)
                await trio.sleep(15)
                with trio.move_on_after(SECONDS):
                    await quiet.run()
                client = [sys.executable, "-c", CLIENT, address, str(SCRAPES)]
                async with trio.open_nursery() as beside:
                    beside.start_soon(scraped.run)
                    asked = await trio.run_process(client, capture_stdout=True)
                    beside.cancel_scope.cancel()
                nursery.cancel_scope.cancel()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report("quiet, late", quiet.late)
    report("quiet, held", quiet.held)
    report("scrape, late", scraped.late)
    worst = report("scrape, held", scraped.held)
    told = [line.split() for line in asked.stdout.decode().splitlines()]
    took = sorted(float(line[0]) for line in told)
    print(
        f"a scrape     p50 {took[len(took) // 2]:.0f} ms   worst {took[-1]:.0f} ms   {int(told[-1][1]):,} bytes", end=""
    )
    print(f"   {int(told[-1][2]):,} series")
    print(f"of that reading the statistics: {max(reads) * 1000:.1f} ms at most")
    observing()
    return worst < 50


class Watch:
    """Notes how late each turn came, and what the loop's thread did since the one before, in milliseconds."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.held: list[float] = []

    async def run(self) -> None:
        """Until cancelled."""
        worked = time.thread_time()
        while True:
            due = trio.current_time() + TICK_SECONDS
            await trio.sleep_until(due)
            self.late.append((trio.current_time() - due) * 1000)
            before, worked = worked, time.thread_time()
            self.held.append((worked - before) * 1000)


def _time_reads() -> list[float]:
    """Have every reading timed from here on."""
    reads: list[float] = []
    read = Sources.read

    async def timed(self: Sources) -> Any:
        began = time.perf_counter()
        readings = await read(self)
        reads.append(time.perf_counter() - began)
        return readings

    Sources.read = timed  # type: ignore[method-assign]  # measured where it is used
    return reads


def observing(events: int = 100_000) -> None:
    """Print what each observation costs an event."""
    timings = Timings()
    part = Transformed(
        extraction_id=uuid4(), connector_id="c", api_name="", exchange="", epoch=1, received_at=datetime.now(UTC),
        response_time_ms=1, body=b"", checkpoint=Checkpoint(),
    )  # fmt: skip
    parts: Sequence[Transformed] = [part] * events
    began = time.perf_counter()
    timings.committed(parts, 0.01)
    commit = time.perf_counter() - began
    began = time.perf_counter()
    timings.handed_out(range(events), 0.01)  # type: ignore[arg-type]  # it counts them only
    hand_out = time.perf_counter() - began
    print(f"an event     commit lag {commit / events * 1e6:.2f} µs   hand-out lag {hand_out / events * 1e6:.2f} µs")


if __name__ == "__main__":
    configure_logs(debug=False)
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    sys.exit(0 if trio.run(partial(measure, wanted)) else 1)
