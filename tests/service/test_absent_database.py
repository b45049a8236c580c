"""Every route of a running service while its database is away: gone, or there and silent."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets.sync.client
from websockets.exceptions import InvalidStatus

from etl_actors.storage.embedded.leftover import processes_in

from ..postgres import KeptServer, reachable_folder
from ..web.access.test_matrix import application, example, routes
from ..web.started import Started, started
from ..web.test_connectors import until

ADMIN_KEY = "canary-admin-key-of-the-tests"
SETTINGS = "[security]\nallow_private_targets = true\n"
# The service takes ten seconds, and a few to let go of what hangs, on a machine that is busy.
SOON = 16
WAYS = ("gone", "frozen")
MADE = {"id": "made", "url": "http://127.0.0.1:9/", "interval_seconds": 3600}
FILE = {"files": {"file": ("a.csv", b"a\n1\n")}}

# What each route is asked with, where that is more than its path.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/connectors"): {"json": MADE | {"id": "another"}},
    ("POST", "/api/connectors/"): {"json": MADE | {"id": "yet_another"}},
    ("PUT", "/api/connectors/<connector_id>"): {"json": MADE | {"interval_seconds": 60}},
    ("POST", "/api/data/extract"): {"json": {"url": "{address}/healthz"}},
    ("POST", "/api/data/upload"): FILE,
    ("POST", "/api/process/csv"): FILE,
    ("POST", "/api/process/json"): {"files": {"file": ("a.json", b'[{"a": 1}]')}},
    ("POST", "/api/keys"): {"json": {"name": "one", "scope": "read"}},
    ("POST", "/api/session"): {"json": {"key": ADMIN_KEY}},
    ("GET", "/api/stream"): {"params": {"since": "999"}},
    ("DELETE", "/api/rejected"): {"params": {"all": "true"}},
    ("POST", "/api/rejected/replay"): {"params": {"all": "true"}},
}
# What answers from memory or from the disk, and with what; everything else needs the database.
ANSWERING = {
    ("DELETE", "/api/session"): 204,
    ("GET", "/"): 200,
    ("GET", "/api/connectors"): 200,
    ("GET", "/api/connectors/"): 200,
    ("GET", "/api/connectors/<connector_id>"): 200,
    ("GET", "/api/connectors/<connector_id>/status"): 200,
    ("GET", "/api/data/upload"): 405,
    ("GET", "/api/session"): 200,
    ("GET", "/api/status"): 200,
    ("GET", "/dashboard"): 200,
    ("GET", "/dashboard/<path:name>"): 404,
    ("GET", "/docs"): 200,
    ("GET", "/docs/assets/<name>"): 404,
    ("GET", "/healthz"): 200,
    ("GET", "/metrics"): 200,
    ("GET", "/openapi.json"): 200,
    ("GET", "/redoc"): 200,
    ("POST", "/api/connectors/<connector_id>/pause"): 200,
    ("POST", "/api/connectors/<connector_id>/resume"): 200,
    ("POST", "/api/connectors/<connector_id>/trigger"): 200,
    ("POST", "/api/session"): 200,
    ("POST", "/ws/test"): 200,
}


@dataclass
class Answer:
    """What a route said; ``error`` where it said nothing."""

    status: int = 0
    headers: Any = None
    text: str = ""
    error: str = ""


@pytest.fixture(scope="module", params=WAYS)
def answers(request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, str], Answer]]:
    """Every route's answer, all asked at once of one service whose database has just gone away."""
    folder = reachable_folder()
    environment = {"ETL_ADMIN_KEY": ADMIN_KEY}
    try:
        with away_afterwards(folder / "database", request.param) as (conninfo, away):
            environment["DATABASE_URL"] = conninfo
            with started(folder, service=SETTINGS, environment=environment) as service:
                with service.client(headers={"X-API-Key": ADMIN_KEY}) as client:
                    assert client.post("/api/connectors", json=MADE).status_code == 201
                    file = client.post("/api/data/upload", **FILE).json()["id"]
                    away()
                    until(lambda: client.get("/readyz").status_code == 503)
                yield asked(service, str(file))
                service.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def away_afterwards(data_dir: Path, way: str) -> Iterator[tuple[str, Any]]:
    """A server, and what makes it go away."""
    server = KeptServer(data_dir)
    cluster = data_dir / "postgres" / "cluster"

    def signalled(number: signal.Signals) -> None:
        for pid in processes_in(cluster):
            os.kill(pid, number)

    try:
        yield server.conninfo, server.close if way == "gone" else lambda: signalled(signal.SIGSTOP)
    finally:
        signalled(signal.SIGCONT)
        if way != "gone":
            server.close()


def asked(service: Started, file: str) -> dict[tuple[str, str], Answer]:
    """What all routes say."""
    wanted = [*routes(), ("GET", "/ws")]
    with ThreadPoolExecutor(len(wanted)) as threads:
        return dict(zip(wanted, threads.map(lambda route: ask(service, *route, file), wanted), strict=True))


def ask(service: Started, method: str, rule: str, file: str) -> Answer:
    """One route, with its connector or file if it is about one."""
    if rule == "/ws":
        return ask_for_socket(service)
    path = example(rule.replace("<connector_id>", "made").replace("<file_id>", file))
    options = BODIES.get((method, rule), {})
    if "json" in options and "{address}" in str(options["json"].get("url")):
        options = {"json": {"url": options["json"]["url"].format(address=service.address)}}
    key = {} if "session" in rule and method == "POST" else {"X-API-Key": ADMIN_KEY}
    try:
        with (
            httpx.Client(base_url=service.address, timeout=SOON, headers=key) as client,
            client.stream(method, path, **options) as answer,
        ):
            return Answer(answer.status_code, answer.headers, answer.read().decode(errors="replace"))
    except httpx.HTTPError as error:
        return Answer(error=repr(error))


def ask_for_socket(service: Started) -> Answer:
    """One that resumes, and so needs history."""
    url = service.address.replace("http", "ws") + "/ws?since=999"
    try:
        with websockets.sync.client.connect(
            url, additional_headers={"X-API-Key": ADMIN_KEY}, open_timeout=SOON
        ) as opened:
            return Answer(opened.response.status_code if opened.response else 0)
    except InvalidStatus as refusal:
        response = refusal.response
        return Answer(response.status_code, response.headers, response.body.decode())
    except (OSError, TimeoutError) as error:
        return Answer(error=repr(error))


@pytest.mark.parametrize("route", [*routes(), ("GET", "/ws")], ids=" ".join)
def test_a_route_answers_or_says_when_to_come_again(
    answers: dict[tuple[str, str], Answer], route: tuple[str, str]
) -> None:
    """503 as a problem document with ``Retry-After``, before long; or its answer, where it needs no database."""
    answer = answers[route]
    assert not answer.error, answer.error
    if route in ANSWERING:
        assert answer.status == ANSWERING[route], answer.text
        return
    assert answer.status == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert "database" in answer.text
    assert "socket" not in answer.text, "the driver's words are not for everybody"


def test_every_route_is_asked() -> None:
    """Sockets too."""
    assert [rule.rule for rule in application().url_map.iter_rules() if rule.websocket] == ["/ws"]
    assert set(ANSWERING) <= set(routes())
