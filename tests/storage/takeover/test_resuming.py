"""A takeover that was cut off anywhere goes on where it was; nobody can disturb it; once done it is done."""

from __future__ import annotations

import random
from pathlib import Path

import psycopg
import pytest
import trio
from msgspec.structs import replace

from etl_actors.errors import StorageUnavailable
from etl_actors.paging import Page
from etl_actors.settings import Secret
from etl_actors.settings.service import Database, Retention
from etl_actors.storage.driver import Connection
from etl_actors.storage.opening import open_storage
from etl_actors.storage.takeover.renaming import set_original_aside
from etl_actors.storage.takeover.targets import TARGETS

from ..opened import CONNECTORS, opened
from .original import ITEM_ROWS, RESPONSES, ask, make_original
from .test_rows import assert_exact, assert_same_rows

COPYING = "etl_actors.storage.takeover.copying"
LEDGER = "SELECT * FROM takeover ORDER BY table_name"


class Killed(Exception):
    """The process ends here."""


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many places to be killed at, each told through ``progress``."""
    monkeypatch.setattr(f"{COPYING}.TARGETS", tuple(replace(target, slice_rows=250) for target in TARGETS))
    monkeypatch.setattr(f"{COPYING}.SAY_SECONDS", 0.0)


async def start(database: str, *, killed_at: int) -> None:
    """Open storage and die at the ``killed_at``-th slice; returns when it opened before that."""
    said = 0

    def progress(step: str) -> None:
        nonlocal said
        said += "taking over" in step
        if said == killed_at:
            raise Killed

    settings = Database(url=Secret(database), min_connections=1, max_connections=8)
    async with open_storage(settings, Retention(), CONNECTORS, data_dir=Path("/nonexistent"), progress=progress):
        pass


@pytest.mark.usefixtures("small_slices")
async def test_killed_between_any_two_slices_it_goes_on(database: str) -> None:
    """Every start gets three slices further; at the end every row is there once, and every count is right."""
    make_original(database)
    starts = 0
    while True:
        starts += 1
        try:
            await start(database, killed_at=4)
            break
        except Killed:
            assert starts < 100
    assert starts > 10
    assert_same_rows(database)
    assert_exact(database)


@pytest.mark.usefixtures("small_slices")
async def test_a_connection_that_is_ended_in_the_middle_costs_nothing(database: str) -> None:
    """The server ends the session at random moments; the next try goes on."""
    make_original(database)
    failures = 0
    chance = random.Random(7)
    while True:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_sessions, database, chance.uniform(0.02, 0.15))
            try:
                async with opened(database):
                    pass
            except StorageUnavailable:
                failures += 1
            nursery.cancel_scope.cancel()
        if ask(database, "SELECT count(*) > 0 AND bool_and(finished_at IS NOT NULL) FROM takeover")[0][0]:
            break
        assert failures < 200
    assert failures > 2
    assert_same_rows(database)
    assert_exact(database)


async def end_sessions(database: str, seconds: float) -> None:
    """End every session of the service after so long."""
    await trio.sleep(seconds)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'etl-actors'"
        )


async def test_two_services_that_start_together_take_turns(database: str) -> None:
    """One takes over, the other waits for it; both serve everything."""
    make_original(database)
    totals = []

    async def run_one() -> None:
        async with opened(database) as storage:
            totals.append((await storage.reader.items(Page())).total.rows)
            totals.append((await storage.reader.response_keys(Page())).total.rows)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(run_one)
    assert sorted(totals) == [RESPONSES] * 3 + [ITEM_ROWS] * 3
    assert_same_rows(database)
    assert_exact(database)


async def test_a_second_start_does_nothing(database: str) -> None:
    """Nor does it matter then whether the original's tables are still there."""
    make_original(database)
    async with opened(database):
        pass
    ledger = ask(database, LEDGER)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP TABLE api_connector_items_v0")
    async with opened(database) as storage:
        assert (await storage.reader.items(Page())).total.rows == ITEM_ROWS
    assert ask(database, LEDGER) == ledger


async def test_killed_between_renaming_and_migrating_it_goes_on(database: str) -> None:
    """The ledger, made with the renaming, is what tells."""
    make_original(database)
    async with await Connection.connect(database, autocommit=True) as connection:
        await set_original_aside(connection)
    assert ask(database, "SELECT to_regclass('api_connectors'), to_regclass('schema_migrations')") == [(None, None)]
    async with opened(database):
        pass
    assert_same_rows(database)
