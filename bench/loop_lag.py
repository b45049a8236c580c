"""Is the event loop ever held? The service with 3,600 pairs at a 1 s interval, and a clock beside it.

A task asks for a turn of the loop every millisecond; how late it gets one is what everybody else waits. The limit is
50 ms. Prints the lags, and for comparison those of an idle loop on this machine in the same run.

    python bench/loop_lag.py [SECONDS]
"""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).parents[1]))

from etl_actors.demonstration import open_sandbox_process
from etl_actors.logs import configure_logs
from etl_actors.service import serve
from etl_actors.settings import read_configuration
from tests.postgres import reachable_folder
from tests.service.running import pointed_config

TICK_SECONDS = 0.001


async def watch(lags: list[float]) -> None:
    """Note how late each turn came, in milliseconds."""
    while True:
        due = trio.current_time() + TICK_SECONDS
        await trio.sleep_until(due)
        lags.append((trio.current_time() - due) * 1000)


def report(name: str, lags: list[float]) -> float:
    """Print quantiles; the worst."""
    ordered = sorted(lags)
    p50, p99, p999 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99, 0.999))
    print(f"{name:12} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   p99.9 {p999:6.2f} ms   worst {ordered[-1]:6.2f} ms")
    return ordered[-1]


async def measure(seconds: float) -> bool:
    """An idle loop first, then the service."""
    idle: list[float] = []
    with trio.move_on_after(3):
        await watch(idle)
    report("idle loop", idle)
    folder = reachable_folder()
    lags: list[float] = []
    try:
        async with open_sandbox_process("--pairs", "3600") as origins:
            config = pointed_config(folder / "config", origins, interval=1)
            async with trio.open_nursery() as nursery:
                run = partial(serve, read_configuration(config, {}), data_dir=folder / "data", host=None, port=0)
                await nursery.start(run)
                await trio.sleep(3)
                with trio.move_on_after(seconds):
                    await watch(lags)
                nursery.cancel_scope.cancel()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report("service", lags) < 50


if __name__ == "__main__":
    configure_logs(debug=False)
    wanted = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    sys.exit(0 if trio.run(partial(measure, wanted)) else 1)
