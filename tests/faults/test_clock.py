"""The clock of the machine jumps: an hour, a day, to 1970, and back. Polls go by another clock, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio

from ..service.reloads import Folder
from ..service.running import running
from ..sources.providers import provider, response
from .counting import Listener
from .rounds import FULL, rounds, show

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
INTERVAL_SECONDS = 0.5
STAY_SECONDS = float(rounds(3, full=15))
DAY, HOUR = 86_400, 3_600
TO_1970 = -56 * 365 * DAY
JUMPS = (HOUR, 0, 2 * DAY, 0, -DAY, TO_1970, 0) if FULL else (DAY, TO_1970, 0)
CONFIG = """
[[connectors]]
connector_id = "polled"
url = "{url}/polled"
interval_seconds = {interval}
[connectors.items]
each = "rows"
coin_symbol = "'X'"
[connectors.items.extra]
number = "n"
"""


class Asked:
    """Answers 1, 2, 3 …, and notes when it was asked."""

    def __init__(self) -> None:
        self.at: list[float] = []

    async def script(self, stream: trio.SocketStream, head: bytes) -> None:
        self.at.append(trio.current_time())
        await stream.send_all(response(json.dumps({"rows": [{"n": len(self.at)}]}).encode()))


def is_of_1970(event: dict[str, Any]) -> bool:
    """Whether that is what it says."""
    return str(event["timestamp"]).startswith("1970")


@pytest.mark.skipif(LIBRARY is None, reason="needs libfaketime (Debian's package faketime)")
async def test_a_clock_that_jumps_costs_no_poll_and_no_row(folder: Path, database: str) -> None:
    """Each tick one poll, each answer stored once in the order of its offset, and what is young outlives the sweeps."""
    asked, listener, shift = Asked(), Listener(), folder / "shift"
    shift.write_text("+0", encoding="utf-8")
    environment = {
        "DATABASE_URL": database,
        "LD_PRELOAD": str(LIBRARY),
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_TIMESTAMP_FILE": str(shift),
    }
    async with provider(asked.script) as url:
        files = Folder(folder / "config")
        files.connectors("polled", CONFIG.format(url=url, interval=INTERVAL_SECONDS))
        files.write("service.toml", "[retention]\nitems_days = 3\n")
        async with (
            running(files.path, folder / "data", environment=environment) as service,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(listener.listen, service.address)
            await trio.sleep(STAY_SECONDS)
            for seconds in JUMPS:
                shift.write_text(f"{seconds:+d}", encoding="utf-8")
                await trio.sleep(STAY_SECONDS)
            # One more sweep of the janitor: it comes every 15 s.
            await trio.sleep(16 if FULL else 0)
            assert await service.stop() == 0
            nursery.cancel_scope.cancel()
        assert "Traceback" not in service.log.read_text()
    pauses = [after - before for before, after in zip(asked.at, asked.at[1:], strict=False)]
    with psycopg.connect(database) as connection:
        stored = connection.execute(
            "SELECT (extra ->> 'number')::bigint FROM api_connector_items ORDER BY id"
        ).fetchall()
    numbers = [number for (number,) in stored]
    assert numbers == sorted(set(numbers))
    # What says that it is of 1970 is as old as it says, to retention: a sweep may have taken it.
    of_1970 = {item["extra"]["number"] for one in listener.events for item in one["data"]["items"] if is_of_1970(one)}
    assert of_1970
    assert set(range(1, len(asked.at) + 1)) - set(numbers) <= of_1970
    assert listener.numbers == list(range(listener.numbers[0], len(asked.at) + 1))
    show(
        f"clock jumps ({len(JUMPS)} of them): {len(asked.at)} polls, {min(pauses):.2f} to {max(pauses):.2f} s apart"
        f" at an interval of {INTERVAL_SECONDS} s; {len(stored)} rows stored, none twice"
    )
    # A tick that comes late is followed by a shorter pause: what tells a poll too many, or too few, is their number.
    assert abs(len(pauses) - (asked.at[-1] - asked.at[0]) / INTERVAL_SECONDS) < 1.5
    assert max(pauses) < 1.9 * INTERVAL_SECONDS or not FULL
