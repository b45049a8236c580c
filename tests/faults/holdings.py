"""What a running service holds: asked of the system and of PostgreSQL. Of the service itself only what nobody else can
know: how many tasks it has, which connections are in its pools, and how much it keeps for those who come back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psycopg
import trio
from prometheus_client import parser

from ..service.running import RunningService

OTHER_SESSIONS = (
    "FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


class Holdings(NamedTuple):
    """Counts of one moment. ``descriptors`` are those that lead to no database session, ``strays`` the sessions that no
    pool knows: pools grow and shrink, so that neither the sum nor the sessions tell a leak. ``megabytes`` are resident,
    without the newest events: those are kept on purpose, up to a limit that a short run does not reach.
    """

    descriptors: int
    sessions: int
    strays: int
    threads: int
    tasks: int
    megabytes: float

    def __str__(self) -> str:
        return (
            f"{self.descriptors} descriptors, {self.sessions} sessions ({self.strays} in no pool),"
            f" {self.threads} threads, {self.tasks} tasks, {self.megabytes:.0f} MB"
        )


async def holdings(service: RunningService, database: str) -> Holdings:
    """What it holds now."""
    process = Path(f"/proc/{service.process.pid}")
    text = (await service.client.get("/metrics")).text
    sessions = await trio.to_thread.run_sync(_sessions, database)
    samples = [one for family in parser.text_string_to_metric_families(text) for one in family.samples]

    def told(name: str) -> float:
        return sum(one.value for one in samples if one.name == name)

    return Holdings(
        descriptors=len(list((process / "fd").iterdir())) - sessions,
        sessions=sessions,
        strays=sessions - int(told("etl_database_connections")),
        threads=len(list((process / "task").iterdir())),
        tasks=int(told("etl_event_loop_tasks")),
        megabytes=service.resident_megabytes() - told("etl_broadcaster_recent_bytes") / 2**20,
    )


async def until_held(
    service: RunningService, database: str, holds: Callable[[Holdings], bool], *, seconds: float = 30
) -> Holdings:
    """The first holdings for which ``holds`` is true; what is being let go takes a moment."""
    found = None
    with trio.move_on_after(seconds):
        while True:
            found = await holdings(service, database)
            if holds(found):
                return found
            await trio.sleep(0.2)
    raise AssertionError(f"after {seconds:g} s it still holds {found}")


def _sessions(database: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute(f"SELECT count(*) {OTHER_SESSIONS}").fetchone()
    return int(row[0]) if row else 0
