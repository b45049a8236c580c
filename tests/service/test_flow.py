"""One command, and live data flows from eight APIs to PostgreSQL, REST and /ws."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import trio
import websockets.sync.client

from etl_actors.sandbox.exchange import Sandbox

from .running import ITEM_YIELDING, RunningService, pointed_config, postgres_processes, running, until_no_postgres

ORIGINAL_FIELDS = {
    "id",
    "connector_id",
    "api_name",
    "exchange",
    "coin_name",
    "coin_symbol",
    "price",
    "market_cap",
    "volume_24h",
    "price_change_24h",
    "market_cap_rank",
    "timestamp",
    "response_time_ms",
}


def listen(address: str, wanted: frozenset[str]) -> list[dict[str, Any]]:
    """What a foreign client hears on /ws until every one of ``wanted`` was heard."""
    events: list[dict[str, Any]] = []
    with websockets.sync.client.connect(address.replace("http", "ws") + "/ws", max_size=None) as socket:
        while not wanted <= {event["connector_id"] for event in events if event["type"] == "price_update"}:
            event = json.loads(socket.recv(timeout=20))
            if event["type"].endswith("_update"):
                events.append(event)
    return events


async def all_items(service: RunningService, path: str = "/api/data/items", **params: Any) -> list[dict[str, Any]]:
    """Every item, page by page."""
    page = await service.get(path, limit=10_000, **params)
    items = page["items"]
    while page["next"]:
        page = await service.get(page["next"])
        items += page["items"]
    return items


async def test_data_flows_from_eight_apis_to_rest_and_to_subscribers(sandbox: Sandbox, folder: Path) -> None:
    """Eight running connectors, items with every field, price updates of each, and offsets without holes."""
    config = pointed_config(folder / "config", sandbox.origins)
    async with running(config, folder / "data") as service:
        status = await service.until("/api/status", lambda status: len(status["connectors"]["running"]) == 8)
        assert [actor["name"] for actor in status["actors"] if actor["restarts"]] == []
        events = await trio.to_thread.run_sync(listen, service.address, ITEM_YIELDING)
        items = (await service.get("/api/data/items", limit=5))["items"]
        assert len(items) == 5
        assert all(set(item) >= ORIGINAL_FIELDS for item in items)
        offsets = [event["offset"] for event in events]
        assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
        await the_log_is_what_was_sent(service, events)
        assert await service.stop() == 0
    assert postgres_processes(folder) == []


async def the_log_is_what_was_sent(service: RunningService, events: list[dict[str, Any]]) -> None:
    """Each event's items are the stored ones, by id and value."""
    stored = {item["id"]: item for item in await all_items(service)}
    sent = [item for event in events if event["type"] == "price_update" for item in event["data"]["items"]]
    assert sent
    assert all(stored[item["id"]] == item for item in sent)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_after_a_restart_everything_is_there_and_offsets_continue(
    sandbox: Sandbox, folder: Path, ending: signal.Signals
) -> None:
    """Whether it was asked to stop or killed: nothing lost, nothing twice, no server left behind."""
    config = pointed_config(folder / "config", sandbox.origins, interval=0.5)
    async with running(config, folder / "data") as service:
        await service.until("/api/status", lambda status: status["loader"]["head"] > 20)
        code = await service.stop(ending)
        assert code == (-signal.SIGKILL if ending == signal.SIGKILL else 0)
    await until_no_postgres(folder)
    async with running(config, folder / "data") as service:
        before = (await service.get("/api/data/items", limit=1))["total"]
        assert before > 0
        await service.until("/api/status", lambda status: status["loader"]["head"] > 30)
        responses = (await service.get("/api/data/", limit=10_000))["data"]
        offsets = sorted(response["stream_offset"] for response in responses)
        assert offsets == list(range(1, len(offsets) + 1))
        items = await all_items(service)
        assert len({item["id"] for item in items}) == len(items)
        assert len(items) >= before
        assert await service.stop() == 0


async def test_a_second_service_on_the_same_folder_is_refused(sandbox: Sandbox, folder: Path) -> None:
    """Exit code 2, one sentence, and the first one goes on."""
    config = pointed_config(folder / "config", sandbox.origins)
    async with running(config, folder / "data") as service:
        with pytest.raises(AssertionError, match="data"):
            async with running(config, folder / "data"):
                pass
        assert (await service.get("/healthz"))["status"] == "ok"
        assert "Traceback" not in service.log.read_text()


async def test_nor_is_one_with_a_database_of_its_users(folder: Path, database: str) -> None:
    """What waits on disk belongs to one service, wherever its database is."""
    config = pointed_config(folder / "config", {})
    for file in (config / "connectors").glob("*.toml"):
        file.unlink()
    environment = {"DATABASE_URL": database}
    async with running(config, folder / "data", environment=environment) as service:
        with pytest.raises(AssertionError, match="is in use by another service"):
            async with running(config, folder / "data", environment=environment):
                pass
        assert (await service.get("/healthz"))["status"] == "ok"


async def test_a_subscriber_that_never_reads_does_not_delay_the_stop(sandbox: Sandbox, folder: Path) -> None:
    """It opened /ws and reads nothing; SIGTERM still ends in time, with exit code 0."""
    config = pointed_config(folder / "config", sandbox.origins, interval=0.2)
    async with running(config, folder / "data") as service:
        stuck = await trio.open_tcp_stream("127.0.0.1", int(service.address.rsplit(":", 1)[1]))
        async with stuck:
            await stuck.send_all(
                b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            await service.until("/api/status", lambda status: status["loader"]["head"] > 60)
            assert await service.stop(seconds=12) == 0
