"""What does an outage of the database cost? A stream of numbered rows, PostgreSQL away for a while, and an oracle.

The oracle counts at the provider, at a subscriber and in the tables, and asks the service for nothing but its memory.
Prints what was lost or came twice, for how long the live feed was silent at most, how fast what waited was stored, and
what it cost in memory.

    python bench/outage.py [SECONDS_AWAY ROWS_PER_SECOND]
"""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).parents[1]))

from etl_actors.storage.embedded import open_embedded
from tests.faults.counting import Counter, Listener
from tests.faults.test_outage import stored, through, written_config
from tests.postgres import reachable_folder
from tests.service.running import RunningService, running
from tests.sources.stream_server import serving
from tests.storage.relay import Relay, open_relay


def resident(service: RunningService) -> float:
    """Megabytes that the service takes now."""
    lines = Path(f"/proc/{service.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


async def watch_silence(listener: Listener, longest: list[float]) -> None:
    """Note the longest time between two events."""
    heard, since = len(listener.heard), trio.current_time()
    while True:
        await trio.sleep(0.005)
        if len(listener.heard) > heard:
            heard, since = len(listener.heard), trio.current_time()
        longest[0] = max(longest[0], trio.current_time() - since)


async def drained(service: RunningService) -> None:
    """Until nothing waits on disk."""
    while (await service.get("/api/status"))["spool"]["batches"]:  # noqa: ASYNC110  # over HTTP
        await trio.sleep(0.05)


async def away(service: RunningService, relay: Relay, listener: Listener, counter: Counter, seconds: float) -> bool:
    """One outage, and what it did."""
    await listener.until(lambda: len(listener.numbers) > 100)
    before, longest = resident(service), [0.0]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_silence, listener, longest)
        relay.shut()
        await trio.sleep(seconds)
        waits, peak = (await service.get("/api/status"))["spool"], resident(service)
        relay.open()
        began = trio.current_time()
        await drained(service)
        took = trio.current_time() - began
        nursery.cancel_scope.cancel()
    print(f"waited on disk: {waits['rows']:,} rows in {waits['batches']:,} batches, {waits['bytes'] / 1e6:.1f} MB")
    print(f"stored in {took:.1f} s with what came meanwhile: {waits['rows'] / took:,.0f} rows/s")
    print(f"longest silence of the live feed: {longest[0] * 1000:.0f} ms")
    print(f"memory: {before:.0f} MB before, {peak:.0f} MB at the end of it, {resident(service):.0f} MB after")
    counter.stopped = True
    await listener.until(lambda: listener.numbers[-1] == counter.said, seconds=120)
    return await service.stop() == 0


async def measure(seconds: float, rows_per_second: float) -> bool:
    """The whole of it."""
    folder = reachable_folder()
    counter, listener = Counter(a_second=rows_per_second), Listener()
    try:
        async with (
            open_embedded(folder / "postgres") as postgres,
            serving(counter.visit) as provider,
            open_relay(postgres.conninfo) as relay,
        ):
            config = written_config(folder, provider.url)
            environment = through(relay, postgres.conninfo)
            async with (
                running(config, folder / "data", environment=environment) as service,
                trio.open_nursery() as nursery,
            ):
                await nursery.start(partial(listener.listen, service.address))
                well = await away(service, relay, listener, counter, seconds)
                nursery.cancel_scope.cancel()
            numbers = [number for _, _, number in await stored(postgres.conninfo)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    twice = len(numbers) - len(set(numbers))
    lost = counter.said - len(set(numbers))
    heard = listener.numbers == list(range(listener.numbers[0], counter.said + 1))
    print(
        f"{counter.said:,} said; lost {lost}, twice {twice}, in order {numbers == sorted(numbers)}; heard all: {heard}"
    )
    return well and not lost and not twice and heard


if __name__ == "__main__":
    given = [*map(float, sys.argv[1:3]), *(60.0, 500.0)[len(sys.argv) - 1 :]]
    sys.exit(0 if trio.run(measure, *given) else 1)
