"""Is the memory of the service flat while it exports? Ten times the rows, and the peak beside it.

Runs the service on a filled database, downloads items as CSV, NDJSON and Parquet, and reads the service's own peak
from /proc (Linux). The first download of each kind warms up what is loaded once, such as pyarrow.

    python bench/export_memory.py [ROWS]
"""

from __future__ import annotations

import shutil
import sys
import time
from functools import partial
from pathlib import Path

import httpx
import trio

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.queries import fill
from tests.postgres import reachable_folder
from tests.service.running import running

KINDS = ("text/csv", "application/x-ndjson", "application/vnd.apache.parquet")


async def measure(rows: int) -> None:
    """Fill, download, print."""
    folder = reachable_folder()
    try:
        await fill(folder / "data", rows / 1_000_000)
        (folder / "config" / "connectors").mkdir(parents=True)
        async with running(folder / "config", folder / "data") as service:
            for kind in KINDS:
                await download(service.client, kind, rows // 10)
                for limit in (rows // 10, rows):
                    before = memory(service.process.pid, "VmRSS")
                    forget_peak(service.process.pid)
                    began = time.perf_counter()
                    size = await download(service.client, kind, limit)
                    taken = time.perf_counter() - began
                    peak = memory(service.process.pid, "VmHWM")
                    print(
                        f"{kind:31} {limit:9,} rows {size / 1e6:7.1f} MB {limit / taken:9,.0f} rows/s"
                        f"   memory {before:6.1f} MB before, {peak:6.1f} MB at most"
                    )
            await service.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def download(client: httpx.AsyncClient, kind: str, limit: int) -> int:
    """Read an export to its end; its bytes."""
    size = 0
    async with client.stream("GET", f"/api/data/items?limit={limit}", headers={"Accept": kind}, timeout=60) as response:
        async for piece in response.aiter_raw():
            size += len(piece)
    return size


def forget_peak(process: int) -> None:
    """Let ``VmHWM`` start from what is in use now."""
    Path(f"/proc/{process}/clear_refs").write_text("5")


def memory(process: int, line: str) -> float:
    """``VmRSS`` or ``VmHWM`` of a process, in megabytes."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(next(text for text in status.splitlines() if text.startswith(line)).split()[1]) / 1e3


if __name__ == "__main__":
    trio.run(partial(measure, int(sys.argv[1]) if len(sys.argv) > 1 else 300_000))
