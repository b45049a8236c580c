"""A different secret in every place that holds one, and everything that can go wrong: none of them comes to light."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets.sync.client
from psycopg.conninfo import make_conninfo
from websockets.exceptions import ConnectionClosed

from ..postgres import KeptServer, fresh_database, reachable_folder
from ..web.origin_server import Provider, serving
from ..web.started import Started, started
from ..web.test_connectors import until
from .canaries import Watch, canary, every_file, everything_in, simple_canary
from .repeating import SHAPES, Repeating

ADMIN_KEY = simple_canary("admin-key-of-the-service")
KEYS = {"ENCRYPTION_KEY": canary("encryption key"), "ETL_ADMIN_KEY": ADMIN_KEY, "DEBUG": "1"}
SERVICE = """
[server]
drain_seconds = 5
[security]
allow_private_targets = true
require_keys = "yes"
failed_keys_per_minute = 10000
requests_per_minute = 0
[upstream]
max_response_bytes = 2_000_000
"""
ITEMS = {
    "each": "[?s]",
    "coin_symbol": "s",
    "price": "p",
    "extra": {"said": "said", "raw": "raw", "asked": "param('api_key')"},
}
AUTHS: dict[str, dict[str, Any]] = {
    "header": {"auth": {"type": "api_key", "header": "X-Shop", "prefix": "Token ", "value": "value"}},
    "param": {"auth": {"type": "api_key", "param": "k", "prefix": "p:", "value": "value"}},
    "bearer": {"auth": {"type": "bearer", "token": "token"}},
    "basic": {"auth": {"type": "basic", "username": "username", "password": "password"}},
    "hmac": {"auth": {"type": "hmac", "key": "key", "secret": "secret", "recv_window": 5000}},
    "oauth2": {"auth": {"type": "oauth2", "client_id": "us", "client_secret": "client_secret"}},
    "tables": {
        "headers": {"X-Auth-Token": "header", "Cookie": "cookie"},
        "params": {"api_key": "param", "page": "1"},
    },
}
NUMBERS = count()
SECRET_KEYS = frozenset({"value", "token", "username", "password", "key", "secret", "client_secret"})
SECRET_KEYS |= {"X-Auth-Token", "Cookie", "api_key"}


def settings(kind: str, door: str, url: str) -> dict[str, Any]:
    """A connector of one kind of credentials, each secret named for its place and for the door it came in by."""
    document: dict[str, Any] = {"url": f"{url}/{door}_{kind}", "interval_seconds": 3600, "timeout_seconds": 5}
    for table, values in AUTHS[kind].items():
        document[table] = {
            name: canary(f"{door}-{kind}-{value}") if name in SECRET_KEYS else value for name, value in values.items()
        }
    if kind == "oauth2":
        document["auth"]["token_url"] = f"{document['url']}/token"
    return document


def written(url: str, folder: Path) -> tuple[str, dict[str, str]]:
    """All kinds as a config file, whose secrets come from variables and from files that variables name."""
    environment: dict[str, str] = {}

    def reference(path: str, text: str) -> str:
        name = f"SECRET_{len(environment)}"
        if len(environment) % 2:
            (folder / name).write_text(text + "\n", encoding="utf-8")
            environment[f"{name}_FILE"] = str(folder / name)
        else:
            environment[name] = text
        return f"${{{name}}}"

    blocks = []
    for kind in AUTHS:
        document = settings(kind, "file", url) | {"connector_id": f"file_{kind}", "items": ITEMS, "error": "error"}
        for table in AUTHS[kind]:
            document[table] = {
                name: reference(name, value) if name in SECRET_KEYS else value
                for name, value in document[table].items()
            }
        blocks.append("[[connectors]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in document.items()))
    user, key = reference("", simple_canary("user")), reference("", simple_canary("query"))
    place = f"http://me:{user}@{url.removeprefix('http://')}/file_url?api_key={key}"
    blocks.append(f'[[connectors]]\nconnector_id = "file_url"\nurl = "{place}"\ninterval_seconds = 3600\n')
    blocks.append(f'[symbols.shop]\nurl = "{place.replace("file_url", "symbols")}"\n')
    return "\n".join(blocks), environment


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml(one)}" for name, one in value.items()) + "}"
    return json.dumps(value)


@dataclass
class Scene:
    """A running service with a secret in every place, and what it said so far."""

    service: Started
    client: httpx.Client
    provider: Provider
    repeating: Repeating
    watch: Watch
    database: str
    folder: Path

    def polled(self) -> list[str]:
        """The ids of all connectors, after each was asked to poll and has done so."""
        listed = self.client.get("/api/connectors").json()["connectors"]
        before = {one["connector_id"]: self.polls(one["connector_id"]) for one in listed}
        for connector_id in before:
            assert self.client.post(f"/api/connectors/{connector_id}/trigger").status_code == 200
        for connector_id, polls in before.items():
            until(lambda name=connector_id, polls=polls: self.polls(name) > polls)
        return list(before)

    def polls(self, connector_id: str) -> int:
        """How many polls of a connector have ended."""
        status = self.client.get(f"/api/connectors/{connector_id}/status").json()
        return int(status["polls"])

    def assert_silent(self, *texts: str) -> None:
        """No secret in any answer, any event, the log, any row or any file."""
        for path in (
            *("/api/status", "/api/connectors", "/api/keys", "/openapi.json", "/metrics", "/readyz", "/api/files"),
            *("/api/data/?limit=10000", "/api/data/items?limit=10000", "/api/rejected?limit=10000", "/api/session"),
        ):
            self.client.get(path)
        self.watch.assert_silent(
            self.service.log.read_text(), everything_in(self.database), every_file(self.folder / "data"), *texts
        )
        self.watch.shown.clear()


@contextmanager
def listening(service: Started, watch: Watch) -> Iterator[None]:
    """Every event of ``/ws`` is heard for the length of the block; its key is in the query, as browsers send it."""
    url = service.address.replace("http", "ws") + f"/ws?key={ADMIN_KEY}"
    with websockets.sync.client.connect(url, max_size=None) as opened:

        def hear() -> None:
            with suppress(ConnectionClosed):
                for message in opened:
                    watch.shown.append(str(message))

        thread = threading.Thread(target=hear)
        thread.start()
        yield
        opened.close()
        thread.join()


@contextmanager
def staged(database: str, folder: Path) -> Iterator[Scene]:
    """A scene in ``folder``, with connectors of every kind from a file and over REST."""
    watch = Watch()
    repeating = Repeating(watch)
    with serving(repeating) as provider:
        connectors, environment = written(provider.url, folder)
        environment |= KEYS | {"DATABASE_URL": make_conninfo(database, password=simple_canary("database"))}
        with started(folder, service=SERVICE, connectors=connectors, environment=environment) as service:
            headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
            with (
                service.client(headers=headers, event_hooks={"response": [watch.hear]}) as client,
                listening(service, watch),
            ):
                for kind in AUTHS:
                    document = settings(kind, "rest", provider.url) | {"connector_id": f"rest_{kind}"}
                    made = client.post("/api/connectors", json=document)
                    assert made.status_code == 201, made.text
                yield Scene(service, client, provider, repeating, watch, database, folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the embedded server's account can reach."""
    made = reachable_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def scene(postgres: KeptServer) -> Iterator[Scene]:
    """One scene for all tests that leave it standing."""
    folder = reachable_folder()
    for database in fresh_database(postgres, template="template1"):
        with staged(database, folder) as staging:
            yield staging
    shutil.rmtree(folder, ignore_errors=True)


def extracted(scene: Scene, **changes: Any) -> list[int]:
    """Each kind of credentials through ``/api/data/extract``; the statuses."""
    statuses = []
    for kind in AUTHS:
        # A place of its own: a provider knows of each who asks there, and cannot tell one extraction what another sent.
        url = f"{scene.provider.url}/{next(NUMBERS)}"
        document = {**settings(kind, "extract", url), "connector_id": f"extract_{kind}", **changes}
        del document["interval_seconds"]
        statuses.append(scene.client.post("/api/data/extract", json=document).status_code)
    return statuses


@pytest.mark.parametrize("shape", SHAPES)
def test_a_provider_that_repeats_everything_gives_nothing_away(scene: Scene, shape: str) -> None:
    """Whatever the shape of its answer: connectors from files, over REST, and extractions."""
    scene.repeating.shape = shape
    polled = scene.polled()
    assert {f"/{name}" for name in polled} <= scene.repeating.asked.keys()
    assert {*extracted(scene, items=ITEMS), *extracted(scene)} <= {200, 422, 424}
    for connector_id in polled:
        scene.client.get(f"/api/connectors/{connector_id}")
        scene.client.get(f"/api/data/{connector_id}/latest")
    scene.assert_silent()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_token_endpoint_that_repeats_everything_gives_nothing_away(scene: Scene, shape: str) -> None:
    """It is asked anew for every extraction; the sentence is the answer."""
    scene.repeating.token_shape, scene.repeating.shape = shape, "items"
    document = settings("oauth2", "extract", f"{scene.provider.url}/{next(NUMBERS)}")
    del document["interval_seconds"]
    refused = scene.client.post("/api/data/extract", json=document)
    assert refused.status_code == 424
    assert "token" in refused.json()["detail"]
    scene.repeating.token_shape = ""
    scene.assert_silent()
