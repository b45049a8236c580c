"""The whole service is started on a database that the original made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import trio

from ..storage.takeover.original import CONNECTORS, FILE_ROWS, ITEM_ROWS, MESSAGES, RESPONSES, ask, make_original, run
from ..storage.takeover.test_rows import assert_exact, assert_same_rows
from .running import RunningService, running

MORE_ITEMS = 24_000


def quiet_config(folder: Path) -> Path:
    """A service that polls nobody."""
    (folder / "connectors").mkdir(parents=True)
    (folder / "service.toml").write_text("")
    return folder


async def all_rows(service: RunningService, path: str, name: str) -> list[dict[str, Any]]:
    """Every row of a list, by its ``next`` links; the total must be theirs."""
    rows: list[dict[str, Any]] = []
    following: str | None = f"{path}{'&' if '?' in path else '?'}limit=10000"
    while following:
        page = await service.get(following)
        rows += page[name]
        following = page["next"]
    assert page["total"] == len(rows)
    return rows


async def kill_in_the_middle(config: Path, data_dir: Path, database: str) -> None:
    """Start the service, let it copy some of the items, and kill -9 it. A lock keeps it from coming to the end."""
    command = [sys.executable, "-m", "etl_actors", "serve", "--port", "0"]
    process = await trio.lowlevel.open_process(
        [*command, "--config", str(config), "--data-dir", str(data_dir)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"DATABASE_URL": database},
    )
    try:
        with trio.fail_after(30), psycopg.connect(database) as locking:
            await until(database, "SELECT to_regclass('takeover') IS NOT NULL")
            locking.execute("SELECT FROM takeover WHERE table_name = 'file_data' FOR UPDATE")
            await until(database, "SELECT bool_or(rows > 5000) FROM takeover")
            process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def until(database: str, question: str) -> None:
    """Return once the answer is true."""
    while not ask(database, question)[0][0]:  # noqa: ASYNC110 - nobody tells us how far another process is
        await trio.sleep(0.005)


async def test_the_original_is_taken_over_although_the_service_is_killed(database: str, folder: Path) -> None:
    """Everything is found over REST, once, with exact totals; a third start changes nothing."""
    make_original(database)
    run(
        database,
        "INSERT INTO api_connector_items (connector_id, api_name, exchange, coin_symbol, coin_name, price, timestamp)"
        " SELECT 'binance_24hr', 'An API', 'binance', 'DOGE', 'Dogecoin', n, now() AT TIME ZONE 'UTC'"
        f" FROM generate_series(1, {MORE_ITEMS}) AS n",
    )
    config = quiet_config(folder / "config")
    await kill_in_the_middle(config, folder / "data", database)
    assert ask(database, "SELECT bool_or(finished_at IS NULL) FROM takeover") == [(True,)]
    async with running(config, folder / "data", environment={"DATABASE_URL": database}) as service:
        items = await all_rows(service, "/api/data/items", "items")
        assert {row["id"] for row in items} == set(range(1, ITEM_ROWS + MORE_ITEMS + 1))
        symbol = await all_rows(service, "/api/data/items/symbol/c3", "items")
        assert len(symbol) == ITEM_ROWS / 10
        of_kraken = await all_rows(service, "/api/data/items/kraken_own", "items")
        assert {row["exchange"] for row in of_kraken} == {"kraken"}
        assert len(of_kraken) == ITEM_ROWS / 3
        latest = await service.get("/api/data/kraken_own/items/latest")
        assert latest["total"] == 10
        responses = await all_rows(service, "/api/data/", "data")
        assert {row["id"] for row in responses} == set(range(1, RESPONSES + 1))
        for connector_id in CONNECTORS:
            mine = await service.get(f"/api/data/{connector_id}", limit=2)
            assert {row["connector_id"] for row in mine["data"]} == {connector_id}
            assert mine["total"] == RESPONSES / 3
        newest = await service.get("/api/data/kraken_own/latest")
        assert newest["response_data"] == {"n": RESPONSES - 1, "price": 95000.5}
        assert newest["stream_offset"] is None
        assert (await service.client.get("/api/data/nobody")).status_code == 404
        steps = [step["step"] for step in service.events("service.step")]
        assert any("taking over the original's tables: api_connector_items, " in step for step in steps)
        assert await service.stop() == 0
    ledger = ask(database, "SELECT * FROM takeover")
    async with running(config, folder / "data", environment={"DATABASE_URL": database}) as service:
        assert (await service.get("/api/data/items"))["total"] == ITEM_ROWS + MORE_ITEMS
        assert (await service.get("/api/data/"))["total"] == RESPONSES
    assert ask(database, "SELECT * FROM takeover") == ledger
    assert_same_rows(database)
    assert_exact(database)
    assert ask(database, "SELECT count(*) FROM websocket_data") == [(MESSAGES,)]
    assert ask(database, "SELECT count(*) FROM file_data") == [(FILE_ROWS,)]


async def test_somebody_elses_database_is_left_alone(database: str, folder: Path) -> None:
    """One clear sentence on stderr, exit code 2, and nothing has changed."""
    run(database, "CREATE TABLE files (id uuid, owner text)", "INSERT INTO files (owner) VALUES ('me')")
    config = quiet_config(folder / "config")
    ended = await trio.run_process(
        [sys.executable, "-m", "etl_actors", "serve", "--port", "0", "--config", str(config)],
        env=os.environ | {"DATABASE_URL": database, "ETL_DATA_DIR": str(folder / "data")},
        capture_stderr=True,
        check=False,
    )
    said = [line for line in ended.stderr.decode().splitlines() if not line.startswith("{")]
    assert ended.returncode == 2
    assert len(said) == 1
    assert "a table files that is neither this service's nor the original's" in said[0]
    assert ask(database, "SELECT owner FROM files") == [("me",)]
    assert ask(database, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(1,)]
