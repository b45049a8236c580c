"""A database that hangs, and says nothing: whoever asks is told so before long, and not more than that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import trio
from psycopg.conninfo import conninfo_to_dict

from ..storage.relay import open_relay
from .running import RunningService, running

# The service takes ten seconds, and two more to let go of what hangs.
SOON = 16
SETTINGS = "[security]\nallow_private_targets = true\n"
CONNECTOR = {"connector_id": "new", "connector_name": "new", "url": "http://127.0.0.1:9/", "enabled": False}


async def test_every_question_is_answered_and_readiness_knows(database: str, folder: Path) -> None:
    """503 for reading and for changing, although nothing polls; the driver's words are for those who may read."""
    (folder / "config").mkdir()
    (folder / "config" / "service.toml").write_text(SETTINGS)
    async with open_relay(database) as relay:
        parameters = conninfo_to_dict(database)
        url = f"postgresql://{parameters['user']}@127.0.0.1:{relay.port}/{parameters['dbname']}"
        async with running(folder / "config", folder / "data", environment={"DATABASE_URL": url}) as service:
            client = service.client
            uploaded = await client.post("/api/data/upload", files={"file": ("a.csv", b"a\n1\n")})
            assert uploaded.status_code == 201
            assert (await client.get("/readyz")).status_code == 200
            relay.frozen = True
            questions: list[tuple[str, str, dict[str, Any]]] = [
                ("GET", "/api/data/items", {}),
                ("GET", "/api/data/items", {"headers": {"Accept": "text/csv"}}),
                ("GET", "/api/files", {}),
                ("GET", "/api/rejected", {}),
                ("GET", "/api/rejected/1", {}),
                ("POST", "/api/rejected/1/replay", {}),
                ("POST", "/api/rejected/replay?all=true", {}),
                ("DELETE", "/api/rejected?all=true", {}),
                ("GET", "/api/stream?since=999", {}),
                ("DELETE", uploaded.headers["location"], {}),
                ("POST", "/api/data/upload", {"files": {"file": ("a.csv", b"a\n1\n")}}),
                ("POST", "/api/connectors", {"json": CONNECTOR}),
                ("POST", "/api/data/extract", {"json": {"url": f"{service.address}/healthz"}}),
            ]
            async with trio.open_nursery() as nursery:
                for method, path, options in questions:
                    nursery.start_soon(_refused, client, method, path, options)
                nursery.start_soon(_asked_to_come_again, client)
            told = await _readiness(service, 503)
            assert told.json()["reasons"] == ["the database does not answer"]
            assert told.headers["content-type"] == "application/problem+json"
            assert int(told.headers["retry-after"]) > 0
            status = await service.get("/api/status")
            assert status["status"] == "not ready"
            assert "PostgreSQL" in status["database"]["last_error"]
            relay.frozen = False
            await _readiness(service, 200)
            assert (await client.get("/api/data/items")).status_code == 200


async def _refused(client: httpx.AsyncClient, method: str, path: str, options: dict[str, Any]) -> None:
    with trio.fail_after(SOON):
        answer = await client.request(method, path, **options)
    assert answer.status_code == 503, (method, path, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "127.0.0.1" not in answer.text
    assert "the database" in answer.json()["detail"], (method, path, answer.text)


async def _asked_to_come_again(client: httpx.AsyncClient) -> None:
    """A browser that resumes by itself would never do so again after a 503."""
    with trio.fail_after(SOON):
        answer = await client.get("/api/stream", headers={"Last-Event-ID": "999"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert "retry: " in answer.text
    assert "data" not in answer.text


async def _readiness(service: RunningService, status: int) -> httpx.Response:
    with trio.fail_after(SOON):
        while (answer := await service.client.get("/readyz")).status_code != status:  # noqa: ASYNC110  # over HTTP
            await trio.sleep(0.1)
    return answer
