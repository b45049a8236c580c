"""A service that is started before its database: there at once, honest, and the whole service when the other comes."""

from __future__ import annotations

import signal
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import trio
import websockets.sync.client
from psycopg.conninfo import conninfo_to_dict
from websockets.exceptions import InvalidStatus

from etl_actors.keys import new_key

from ..storage.relay import Relay
from .beginning import beginning, free_port, until_ready
from .canaries import Watch, simple_canary
from .running import RunningService

PASSWORD = simple_canary("database")
ADMIN_KEY = "canary-admin-key-of-the-tests"
EVERYWHERE = '[security]\nrequire_keys = "yes"\n'
ROUTES = [
    ("GET", "/api/status"), ("GET", "/api/data/items"), ("GET", "/api/connectors"), ("POST", "/api/connectors"),
    ("DELETE", "/api/connectors/one"), ("POST", "/api/data/upload"), ("GET", "/api/stream"), ("GET", "/dashboard"),
    ("GET", "/dashboard/dashboard.js"), ("GET", "/docs"), ("GET", "/openapi.json"), ("POST", "/healthz"),
    ("POST", "/api/session"), ("GET", "/nowhere"), ("GET", "/ws"), ("POST", "/ws/test"),
]  # fmt: skip


def awaited(port: int, name: str = "etl") -> dict[str, str]:
    """The environment of a service whose database will be on ``port``."""
    return {"DATABASE_URL": f"postgresql://etl:{PASSWORD}@127.0.0.1:{port}/{name}", "ETL_ADMIN_KEY": ADMIN_KEY}


def refused(answer: Any, status: int = 503) -> dict[str, Any]:
    """A problem document that says when to come again, and nothing of where the database is."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 503:
        assert int(answer.headers["retry-after"]) > 0
    assert "connection" not in answer.text.lower()
    assert "nosniff" in answer.headers["x-content-type-options"]
    return dict(answer.json())


def refusal_of_socket(service: RunningService) -> Any:
    """What refuses ``/ws``."""
    with pytest.raises(InvalidStatus) as refusal:
        websockets.sync.client.connect(service.address.replace("http", "ws") + "/ws")
    return refusal.value.response


async def test_until_the_database_is_there_everything_but_its_life_is_503(database: str, folder: Path) -> None:
    """Alive, not ready, everything else later; on the connection that waited the whole service answers then."""
    port = free_port()
    async with beginning(folder, environment=awaited(port, str(conninfo_to_dict(database)["dbname"]))) as service:
        client, watch = service.client, Watch()
        assert (await service.get("/healthz")) == {"status": "ok"}
        assert (await service.get("/"))["service"] == "etl-actors"
        assert (await client.get("/", headers={"Accept": "text/html"})).headers["location"] == "/dashboard"
        told = refused(await client.get("/readyz"))
        assert "database" in told["reasons"][0]
        for method, path in ROUTES:
            answer = await client.request(method, path, headers={"Accept": "text/html"})
            assert "database" in refused(answer)["detail"]
            watch.hear(answer)
        # A browser that had a stream gives up for good after any answer but 200.
        again = await client.get("/api/stream", headers={"Last-Event-ID": "7"})
        assert (again.status_code, again.headers["Content-Type"]) == (200, "text/event-stream")
        assert again.text.endswith("retry: 1000\n\n")
        response = await trio.to_thread.run_sync(refusal_of_socket, service)
        assert (response.status_code, response.headers["Content-Type"]) == (503, "application/problem+json")
        assert int(response.headers["Retry-After"]) > 0
        (said,) = service.events("service.database_awaited")
        assert f"port {port} failed: Connection refused" in said["reason"]
        assert len([one for one in service.events("service.step") if "waiting" in one["step"]]) == 1
        async with trio.open_nursery() as nursery:
            await nursery.start(come_up, database, port)
            await until_ready(service)
            assert (await client.get("/readyz")).status_code == 200
            assert (await service.get("/api/data/items"))["items"] == []
            assert (await client.get("/dashboard")).headers["content-type"].startswith("text/html")
            with websockets.sync.client.connect(service.address.replace("http", "ws") + "/ws"):
                pass
            assert await service.stop() == 0
            nursery.cancel_scope.cancel()
        assert service.events("service.database_found")[0]["tries"] > 0
        log = service.log.read_text()
        assert "Traceback" not in log
        watch.assert_silent(log)


async def come_up(database: str, port: int, *, task_status: trio.TaskStatus[None]) -> None:
    """A way to ``database`` on ``port``, from now on."""
    relay = Relay(database)
    (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")
    task_status.started()
    async with aclosing(listener):
        await trio.serve_listeners(relay.serve, [listener])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_wait(folder: Path, number: signal.Signals) -> None:
    """At once, with exit code 0: there is nothing to drain."""
    async with beginning(folder, environment=awaited(free_port())) as service:
        assert await service.stop(number) == 0
        assert service.events("service.stopped")
        assert "Traceback" not in service.log.read_text()


async def test_a_signal_ends_the_wait_for_a_server_that_says_nothing(folder: Path) -> None:
    """It took the connection, and that is all."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with aclosing(listener), beginning(folder, environment=awaited(listener.socket.getsockname()[1])) as service:
        stream = await listener.accept()
        async with stream:
            assert refused(await service.client.get("/readyz"))["reasons"] == ["the service is starting"]
            assert await service.stop() == 0


async def test_who_must_show_a_key_must_while_it_waits(folder: Path) -> None:
    """Nobody: 401 but for the open routes. The first key: later. Another: nobody can say. Nonsense: 401, then 429."""
    settings = EVERYWHERE + "failed_keys_per_minute = 3\n"
    async with beginning(folder, service=settings, environment=awaited(free_port())) as service:
        client = service.client
        for path, status in (("/healthz", 200), ("/", 200), ("/readyz", 503), ("/dashboard", 503)):
            assert (await client.get(path)).status_code == status
        for method, path in ROUTES:
            if (method, path) != ("POST", "/api/session") and not path.startswith("/dashboard"):
                refused(await client.request(method, path), 401)
        for key, status in ((ADMIN_KEY, 503), (new_key(), 503), ("nonsense", 401)):
            refused(await client.get("/api/status", headers={"X-API-Key": key}), status)
        for _ in range(5):
            await client.get("/api/status", headers={"X-API-Key": "nonsense"})
        refused(await client.get("/api/status", headers={"X-API-Key": "nonsense"}), 429)
        assert (await trio.to_thread.run_sync(refusal_of_socket, service)).status_code == 401
        assert ADMIN_KEY not in service.log.read_text()


async def test_strangers_pages_and_names_are_refused_while_it_waits(folder: Path) -> None:
    """Without keys: no other page may change anything, and no name but this machine's is answered to."""
    async with beginning(folder, environment=awaited(free_port())) as service:
        stranger = {"Origin": "https://stranger.example"}
        refused(await service.client.post("/api/connectors", headers=stranger), 403)
        refused(await service.client.get("/api/status", headers={"Host": "stranger.example"}), 421)
        refused(await service.client.get("/api/keys"), 401)
