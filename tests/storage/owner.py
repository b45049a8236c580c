"""A stand-in for the service, run as a process of its own so that it can be killed: it owns an embedded server.

``python tests/child.py tests.storage.owner DATA_DIR [MACHINE_FOLDER]`` prints one JSON object (``conninfo``, ``pid`` of
the server, ``guardian``, ``rows`` counted, or ``error`` and its ``kind``), then waits until its standard input ends.
Every start adds a row. With ``FORK`` in its environment it forks a child that inherits everything and outlives it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import trio

from etl_actors.errors import EtlActorsError
from etl_actors.storage.driver.connection import Connection
from etl_actors.storage.embedded import EmbeddedPostgres, open_embedded
from etl_actors.storage.embedded.home import MACHINE_FOLDER


def say(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def leave_a_child() -> None:
    if not os.fork():
        time.sleep(8)
        os._exit(0)


async def add_row(server: EmbeddedPostgres) -> int:
    async with await Connection.connect(server.conninfo, autocommit=True) as connection:
        await connection.execute("CREATE TABLE IF NOT EXISTS starts (at timestamptz DEFAULT now())")
        await connection.execute("INSERT INTO starts DEFAULT VALUES")
        row = await (await connection.execute("SELECT count(*) FROM starts")).fetchone()
    assert row is not None
    return int(row[0])


async def own(data_dir: Path, machine_folder: Path) -> None:
    def progress(text: str) -> None:
        if "PROGRESS" in os.environ:
            say(progress=text)

    async with open_embedded(data_dir, progress=progress, machine_folder=machine_folder) as server:
        rows = await add_row(server)
        if "FORK" in os.environ:
            leave_a_child()
        say(conninfo=server.conninfo, pid=server.pid, guardian=parent_of(server.pid), rows=rows)
        async with trio.open_nursery() as nursery:

            async def report_death() -> None:
                say(died=await server.wait_died())
                nursery.cancel_scope.cancel()

            nursery.start_soon(report_death)
            await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    try:
        trio.run(own, Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else MACHINE_FOLDER)
    except EtlActorsError as error:
        say(error=str(error), kind=type(error).__name__)
    sys.stdout.flush()
    os._exit(0)  # a thread may still be reading standard input
