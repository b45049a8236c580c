"""A connector's trouble arrives at subscribers and in the log, through the whole service."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import trio
import websockets.sync.client

from ..sources.providers import provider, response
from .running import RunningService, running

CONFIG = """
[[connectors]]
connector_id = "flaky"
url = "{url}/rows"
interval_seconds = 0.2
stale_after_seconds = 2
cursor = {{ param = "since", from = "max(rows[].id)", initial = 0 }}
[connectors.items]
each = "rows"
coin_symbol = "symbol"
[connectors.items.extra]
row = "id"
"""


class Flaky:
    """Numbers its rows; says 500 while it is told to."""

    def __init__(self) -> None:
        self.failing = False
        self.row = 0

    async def script(self, stream: trio.SocketStream, head: bytes) -> None:
        if self.failing:
            await stream.send_all(response(b'{"error":"out of order"}', status="500 Internal Server Error"))
            return
        self.row = int(head.split(b"since=")[1].split(b" ")[0]) + 1
        await stream.send_all(response(json.dumps({"rows": [{"id": self.row, "symbol": "BTC"}]}).encode()))


def write_config(folder: Path, url: str) -> Path:
    """One flaky connector from a file."""
    (folder / "config" / "connectors").mkdir(parents=True)
    (folder / "config" / "connectors" / "flaky.toml").write_text(CONFIG.format(url=url), encoding="utf-8")
    return folder / "config"


class Listener:
    """A foreign client in a thread of its own: every event it hears."""

    def __init__(self, socket: websockets.sync.client.ClientConnection) -> None:
        self.events: list[dict[str, Any]] = []
        self._socket = socket

    def states(self) -> list[tuple[str, bool]]:
        """State and staleness of every status heard."""
        return [(e["data"]["state"], e["data"]["stale"]) for e in self.events if e["type"] == "connector_status"]

    async def hear_until(self, *states: tuple[str, bool]) -> None:
        """Until these are all the states that were heard."""

        def hear() -> None:
            while self.states() != list(states):
                self.events.append(json.loads(self._socket.recv(timeout=15)))

        await trio.to_thread.run_sync(hear)


@contextmanager
def listening(service: RunningService) -> Iterator[Listener]:
    """A listener, connected."""
    with websockets.sync.client.connect(service.address.replace("http", "ws") + "/ws", max_size=None) as socket:
        yield Listener(socket)


async def test_trouble_arrives_at_subscribers_and_in_the_log(folder: Path, database: str) -> None:
    """Failing, stale and back, paused and back, on /ws in order with the data, and in the events table as it was sent;
    the cursor is where it was, although notices came behind the last answer.
    """
    flaky, environment = Flaky(), {"DATABASE_URL": database}
    async with provider(flaky.script) as url:
        config = write_config(folder, url)
        async with running(config, folder / "data", environment=environment) as service:
            await service.until("/api/connectors/flaky/status", lambda status: status["items"] > 2)
            with listening(service) as listener:
                flaky.failing = True
                await listener.hear_until(("failing", False))
                assert (await service.get("/readyz")) == {"status": "ready"}
                await listener.hear_until(("failing", False), ("failing", True))
                assert (await service.get("/readyz")) == {"status": "ready", "stale": ["flaky"]}
                assert (await service.get("/api/status"))["stale"] == ["flaky"]
                assert (await service.get("/api/connectors/flaky/status"))["stale"] is True
                row = flaky.row
                assert stored_cursor(database) == str(row)
                flaky.failing = False
                await listener.hear_until(("failing", False), ("failing", True), ("running", False))
                assert (await service.get("/api/connectors/flaky/status"))["stale"] is False
                await pause_and_resume(service, listener)
            heard = [event for event in listener.events if "offset" in event]
            assert [event["offset"] for event in heard] == list(
                range(heard[0]["offset"], heard[0]["offset"] + len(heard))
            )
            statuses = [event for event in heard if event["type"] == "connector_status"]
            assert "HTTP 500" in statuses[0]["data"]["reason"]
            assert statuses[1]["data"]["reason"].startswith("stale: nothing fresh for 2 s; ")
            assert logged(database) == [(event["offset"], event["id"], event["data"]) for event in statuses]
            # What was asked for behind the last answer was what came behind the last row.
            rows = [item["extra"]["row"] for event in heard for item in event["data"].get("items", [])]
            assert rows == list(range(rows[0], rows[0] + len(rows)))
            assert await service.stop() == 0


async def pause_and_resume(service: RunningService, listener: Listener) -> None:
    """Through REST."""
    before = listener.states()
    await service.client.post("/api/connectors/flaky/pause")
    await listener.hear_until(*before, ("paused", False))
    await service.client.post("/api/connectors/flaky/resume")
    await listener.hear_until(*before, ("paused", False), ("running", False))


async def test_a_deleted_connector_says_so_last(folder: Path, database: str) -> None:
    """Behind its last data, and nothing of it comes afterwards."""
    flaky = Flaky()
    (folder / "config" / "connectors").mkdir(parents=True)
    (folder / "config" / "service.toml").write_text("[security]\nallow_private_targets = true\n")
    async with (
        provider(flaky.script) as url,
        running(folder / "config", folder / "data", environment={"DATABASE_URL": database}) as service,
    ):
        with listening(service) as listener:
            made = await service.client.post(
                "/api/connectors",
                json={
                    "connector_id": "made",
                    "url": f"{url}/rows",
                    "interval_seconds": 0.1,
                    "cursor": {"param": "since", "from": "max(rows[].id)", "initial": 0},
                },
            )
            assert made.status_code == 201, made.text
            await service.until("/api/connectors/made/status", lambda status: status["polls"] > 2)
            assert (await service.client.delete("/api/connectors/made")).status_code == 204
            await listener.hear_until(("stopped", False))
        last = listener.events[-1]
        assert (last["type"], last["data"]["reason"]) == ("connector_status", "it is deleted")
        (_, _, data), *others = logged(database)
        assert (data, others) == (last["data"], [])
        assert await service.stop() == 0


async def test_a_restart_takes_back_what_was_told_before_it(folder: Path, database: str) -> None:
    """Killed while a connector failed: the next life says that it runs, and one that runs well starts silently."""
    flaky, environment = Flaky(), {"DATABASE_URL": database}
    async with provider(flaky.script) as url:
        config = write_config(folder, url)
        flaky.failing = True
        async with running(config, folder / "data", environment=environment) as service:
            await until_logged(database, "failing")
            await service.stop(signal.SIGKILL)
        flaky.failing = False
        async with running(config, folder / "data", environment=environment) as service:
            await until_logged(database, "running")
            assert await service.stop() == 0
        before = logged(database)
        async with running(config, folder / "data", environment=environment) as service:
            await service.until("/api/connectors/flaky/status", lambda status: status["items"] > 5)
            assert await service.stop() == 0
        assert logged(database) == before


async def until_logged(database: str, state: str) -> None:
    """The last status in the log is of this state."""
    with trio.fail_after(15):
        while not (found := logged(database)) or found[-1][2]["state"] != state:  # noqa: ASYNC110 - it is a table
            await trio.sleep(0.1)


def logged(database: str) -> list[tuple[int, str, dict[str, Any]]]:
    """Offset, id and data of every status in the log."""
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT stream_offset, event_id::text, data FROM events WHERE type = 'connector_status' ORDER BY 1"
        )
        return found.fetchall()


def stored_cursor(database: str) -> Any:
    """Where the connector would continue."""
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT cursor FROM connector_state").fetchone()
        assert row is not None
        return row[0]
