"""A different secret in every place that holds one, and everything that can go wrong: none of them comes to light."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import websockets.sync.client
from psycopg.conninfo import make_conninfo
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ..postgres import KeptServer, fresh_database, reachable_folder
from ..web.origin_server import Provider, serving
from ..web.started import Started, started
from ..web.test_connectors import run_command, until
from .beginning import free_port
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
    environment: dict[str, str]

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
def staged(database: str, folder: Path, *, may_crash: bool = False) -> Iterator[Scene]:
    """A scene in ``folder``, with connectors of every kind from a file and over REST."""
    watch = Watch()
    repeating = Repeating(watch)
    with serving(repeating) as provider:
        connectors, environment = written(provider.url, folder)
        environment |= KEYS | {"DATABASE_URL": make_conninfo(database, password=simple_canary("database"))}
        with started(
            folder, service=SERVICE, connectors=connectors, environment=environment, may_crash=may_crash
        ) as service:
            headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
            with (
                service.client(headers=headers, event_hooks={"response": [watch.hear]}) as client,
                listening(service, watch),
            ):
                for kind in AUTHS:
                    document = settings(kind, "rest", provider.url) | {"connector_id": f"rest_{kind}"}
                    made = client.post("/api/connectors", json=document)
                    assert made.status_code == 201, made.text
                yield Scene(service, client, provider, repeating, watch, database, folder, environment)


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


def test_a_connection_that_is_none_gives_nothing_away(scene: Scene) -> None:
    """TLS with who does not speak it, a name that does not resolve, a closed port, time that runs out."""
    port = scene.provider.url.rpartition(":")[2]
    for place in (f"https://127.0.0.1:{port}", "http://nosuch.invalid", "http://127.0.0.1:9", "https://127.0.0.1:9"):
        for kind in AUTHS:
            document = settings(kind, "extract", place)
            del document["interval_seconds"]
            assert scene.client.post("/api/data/extract", json=document).status_code == 424
    scene.assert_silent()


SECRET = canary("body")
OTHER = "https://api.example.org/"
# What is wrong is a place beside the secret, or the secret itself.
BROKEN: list[dict[str, Any]] = [
    {"auth": {"type": "bearer", "token": SECRET + "\n"}},
    {"auth": {"type": "bearer", "token": [SECRET]}},
    {"auth": {"type": "bearer", "token": SECRET, "scheme": 1}},
    {"auth": {"type": "bearer", "value": SECRET}},
    {"auth": {"type": "api_key", "value": SECRET + "\u00fc"}},
    {"auth": {"type": "api_key", "value": SECRET, "header": "a", "param": "b"}},
    {"auth": {"type": "api_key", "value": {"is": SECRET}}},
    {"auth": {"type": "basic", "username": SECRET + ":", "password": SECRET}},
    {"auth": {"type": "basic", "username": SECRET}},
    {"auth": {"type": "hmac", "key": SECRET, "secret": SECRET, "algorithm": "md5"}},
    {"auth": {"type": "hmac", "key": SECRET + "\r", "secret": SECRET, "recv_window": "long"}},
    {"auth": {"type": "oauth2", "client_id": "us", "client_secret": SECRET, "token_url": "nowhere"}},
    {"auth": {"type": "oauth2", "client_id": "us", "client_secret": SECRET, "token_url": OTHER, "scopes": ["a b"]}},
    {
        "auth": {
            "type": "oauth2",
            "client_id": "us",
            "client_secret": "x",
            "token_url": f"https://us:{simple_canary('token_url')}@api.example.org/",
        }
    },
    {
        "auth": {
            "type": "oauth2",
            "client_id": "us",
            "client_secret": "x",
            "token_url": f"https://api.example.org/?api_key={simple_canary('token_url')}",
        }
    },
    {"auth": SECRET},
    {"auth": [SECRET]},
    {"headers": {"X-Auth-Token": [SECRET]}},
    {"headers": {"X-Auth-Token": SECRET + "\n"}},
    {"headers": {"X-Auth-Token": SECRET + "\0"}},
    {"headers": {"Authorization": SECRET}, "auth": {"type": "bearer", "token": SECRET}},
    {"headers": SECRET},
    {"params": {"api_key": {"is": SECRET}}},
    {"params": SECRET},
    {"params": {"timestamp": SECRET}, "auth": {"type": "hmac", "key": SECRET, "secret": SECRET}},
    {"url": f"https://us:{simple_canary('url')}@api.example.org/"},
    {"url": f"https://us:{simple_canary('url')}@api.example.org:99999/"},
    {"url": f"ftp://us:{simple_canary('url')}@api.example.org/"},
    {"url": f"https://us:{simple_canary('url')}@[::1/"},
    {"url": f"https://api.example.org/?api_key={simple_canary('url')}"},
    {"headers": {"X-Auth-Token": SECRET}, "interval_seconds": "often"},
    {"params": {"api_key": SECRET}, "items": {"price": "((("}},
    {"params": {"api_key": SECRET}, "limit": "nosuch"},
]


@pytest.mark.parametrize("broken", range(len(BROKEN)))
def test_a_body_that_is_refused_is_not_repeated(scene: Scene, broken: int) -> None:
    """422 at every door; the document names the place and not what stands there."""
    document = {"url": OTHER, **BROKEN[broken]}
    doors = [("POST", "/api/connectors", {"connector_id": "broken"}), ("PUT", "/api/connectors/rest_bearer", {})]
    if BROKEN[broken].keys() <= {"url", "auth", "headers", "params"}:
        doors.append(("POST", "/api/data/extract", {}))
    for method, path, more in doors:
        answer = scene.client.request(method, path, json=document | more)
        assert (answer.status_code, bool(answer.json().get("errors"))) == (422, True), (method, path, answer.text)
    scene.assert_silent()


def test_a_change_that_is_refused_repeats_nothing(scene: Scene) -> None:
    """400, 404, 409, 412, 413, and a mask for which nothing is kept."""
    client, new = scene.client, {"connector_id": "changing", "url": OTHER, "enabled": False}
    auth = {"type": "bearer", "token": SECRET}
    made = client.post("/api/connectors", json=new | {"auth": auth})
    assert made.status_code == 201
    assert client.post("/api/connectors", json=new | {"auth": auth}).status_code == 409
    path, stale = "/api/connectors/changing", {"If-Match": '"stale"'}
    assert client.put(path, json=new | {"auth": auth}, headers=stale).status_code == 412
    assert client.put("/api/connectors/file_bearer", json={"url": OTHER, "auth": auth}).status_code == 409
    assert client.put("/api/connectors/nosuch", json={"url": OTHER, "auth": auth}).status_code == 404
    for elsewhere in ({"url": "https://other.example.org/"}, {"auth": {"type": "basic", "username": "***"}}):
        assert client.put(path, json=made.json() | elsewhere).status_code == 422
    whole = json.dumps(new | {"auth": auth}).encode()
    for cut in (-1, -3, -12, -30, -45):
        for method, door in (("POST", "/api/connectors"), ("PUT", path), ("POST", "/api/data/extract")):
            assert client.request(method, door, content=whole[:cut]).status_code == 400
            assert client.request(method, door, content=whole[:cut] + b"\xff}").status_code == 400
    assert client.post("/api/connectors", content=whole + b" " * 2_000_000).status_code == 413
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    scene.assert_silent()


def test_a_key_of_the_service_is_shown_once_and_never_again(scene: Scene) -> None:
    """The first key and one that was made, shown in every way there is, rightly and wrongly, live and revoked."""
    made = run_command(
        *("keys", "create", "--scope", "admin", "--name", "mine", "--data-dir", str(scene.folder / "data")),
        *("--config", str(scene.folder / "config")),
        **(scene.environment | {"DATABASE_URL": scene.database}),
    )
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    wrong = key[:-8] + "AAAAAAAA"
    scene.watch.derived |= {key, key[4:], wrong, wrong[4:]}
    with scene.service.client(event_hooks={"response": [scene.watch.hear]}) as client:
        for shown, good in ((key, True), (ADMIN_KEY, True), (wrong, False), (simple_canary("no-key"), False)):
            for headers in ({"Authorization": f"Bearer {shown}"}, {"X-API-Key": shown}):
                assert (client.get("/api/status", headers=headers).status_code == 200) is good
            client.get("/api/data/items", params={"key": shown, "limit": 0})
            client.get(f"/api/connectors/{shown}")
            assert opens_socket(scene, f"?key={shown}") is good
            assert opens_socket(scene, "", subprotocols=["etl-actors", f"etl-actors.key.{shown}"]) is good
            assert (client.post("/api/session", json={"key": shown}).status_code == 200) is good
            scene.watch.derived |= {value for value in client.cookies.values() if value}
            client.get("/api/session")
            for body in ({"key": [shown]}, {"kei": shown}, shown, [shown]):
                assert client.post("/api/session", json=body).status_code in {400, 401, 422}
            cookies = list(client.cookies)
            client.cookies.clear()
            for name in cookies:
                assert client.get("/api/status", headers={"Cookie": f"{name}={shown}"}).status_code == 401
    scene.assert_silent()
    listed = scene.client.get("/api/keys").json()["keys"]
    for one in listed:
        assert scene.client.delete(f"/api/keys/{one['id']}").status_code == 204
    assert scene.client.get("/api/status", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    scene.assert_silent(made.stderr)


def opens_socket(scene: Scene, query: str, **options: Any) -> bool:
    """Whether ``/ws`` opens; what it says when it does not is kept."""
    url = scene.service.address.replace("http", "ws") + "/ws" + query
    try:
        with websockets.sync.client.connect(url, **options) as opened:
            scene.watch.shown.append(repr(opened.response))
            return True
    except InvalidStatus as refused:
        scene.watch.shown.append(repr(refused.response))
        return False


WORSE = simple_canary("database-password")
DATABASES = [
    f"postgresql://etl:{WORSE}@127.0.0.1:9/etl",
    f"postgresql://etl:{WORSE}@nosuch.invalid/etl",
    f"postgresql://etl:{WORSE}@127.0.0.1:port/etl",
    f"postgresql://etl:{WORSE}%zz@127.0.0.1/etl",
    f"postgresql://etl:half@{WORSE}@127.0.0.1:9/etl",
    f"postgresql://etl:half/{WORSE}@127.0.0.1:9/etl",
    f"postgresql://etl:half#{WORSE}@127.0.0.1:9/etl",
    f"postgresql://etl:9/{WORSE}@127.0.0.1:9/etl",
    f"postgresql://etl@127.0.0.1:9/etl?password={WORSE}&nonsense=1",
    f"postgresql://etl@127.0.0.1:9/etl?password={WORSE}&sslmode=nonsense",
    f"postgres://etl:{WORSE}@[::1/etl",
    f"mysql://etl:{WORSE}@127.0.0.1/etl",
    f"host=127.0.0.1 port=9 user=etl password=half {WORSE}",
    f"host=127.0.0.1 port=9 user=etl password={WORSE} connect_timeout=soon",
    WORSE,
]
# Nobody answers there, but somebody may: these are waited for.
PASSING = {*DATABASES[:2], DATABASES[6]}


@pytest.mark.parametrize("url", DATABASES)
def test_a_database_that_cannot_be_reached_is_told_without_its_password(folder: Path, url: str) -> None:
    """One sentence, from the commands that open the database themselves and from a service that it can never serve."""
    (folder / "config").mkdir()
    place = ("--config", str(folder / "config"), "--data-dir", str(folder / "data"))
    for command in (("keys", "list"), ("rekey",)):
        more = {"ENCRYPTION_KEY_NEW": canary("new key")} if command == ("rekey",) else {}
        assert_refused(*command, *place, DATABASE_URL=url, **KEYS, **more)
    if url in PASSING:
        wait_silently(*place, DATABASE_URL=url, **KEYS)
    else:
        assert_refused("serve", "--port", "0", *place, DATABASE_URL=url, **KEYS)
    assert_only_keys_in(folder)


def wait_silently(*place: str, **environment: str) -> None:
    """The service waits, and neither its log nor its answers, to whomever, say a secret."""
    port, watch = free_port(), Watch()
    with subprocess.Popen(
        [sys.executable, "-m", "etl_actors", "serve", "--port", str(port), *place],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ) | environment,
    ) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            while said and "service.database_awaited" not in said.splitlines()[-1]:
                said += process.stderr.readline()
                assert process.poll() is None, said
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", event_hooks={"response": [watch.hear]}) as client:
                for path in ("/", "/readyz", "/api/status", "/docs", "/nowhere"):
                    for key in ({}, {"X-API-Key": ADMIN_KEY}, {"X-API-Key": canary("wrong key")}):
                        assert client.get(path, headers=key).status_code in {200, 401, 503}
            process.send_signal(signal.SIGTERM)
            output, rest = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in said + rest
    watch.assert_silent(output, said, rest)


def assert_refused(*command: str, **environment: str) -> None:
    """The command fails with one sentence, and neither says a secret nor shows a traceback."""
    done = run_command(*command, **environment)
    assert done.returncode in {1, 2}, (command, done.stdout, done.stderr)
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    Watch().assert_silent(done.stdout, done.stderr)


def assert_only_keys_in(folder: Path) -> None:
    """No file holds a secret but those that are there to."""
    Watch().assert_silent(every_file(folder))


CONFIGS = [
    'url = "${S}"',
    'url = "https://us:${S}@api.example.org:99999/"',
    'url = "ftp://us:${S}@api.example.org/"',
    'interval_seconds = "${S}"',
    'enabled = "${S}"',
    'method = "${S}"',
    'auth = "${S}"',
    'auth = { type = "bearer", token = "${S}\u000a" }',
    'auth = { type = "bearer", token = "${S}", tokn = "${S}" }',
    'auth = { type = "bearer", token = ["${S}"] }',
    'auth = { type = "hmac", key = "${S}", secret = 1 }',
    'headers = { X-Token = "${S}\u000a" }',
    'params = { api_key = ["${S}"] }',
    'auth = { type = "bearer", token = "SECRET }',
    'auth = { type = "bearer", token = SECRET }',
]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_broken_config_is_told_without_the_secrets_in_it(folder: Path, config: str) -> None:
    """``check`` and ``serve`` exit with 2 and name the place; the secret came from a variable or stands there."""
    (folder / "config" / "connectors").mkdir(parents=True)
    lines = ["[[connectors]]", 'connector_id = "mine"', config.replace("SECRET", WORSE)]
    if not config.startswith("url"):
        lines.append(f'url = "{OTHER}"')
    (folder / "config" / "connectors" / "mine.toml").write_text("\n".join(lines), encoding="utf-8")
    place = ("--config", str(folder / "config"))
    for command in (("check", *place), ("serve", "--port", "0", *place, "--data-dir", str(folder / "data"))):
        done = run_command(*command, S=WORSE, **KEYS)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
        assert "mine.toml" in done.stderr
        Watch().assert_silent(done.stdout, done.stderr)


@pytest.mark.parametrize(
    "keys",
    [
        {"ENCRYPTION_KEY": "quetzal"},
        {"ENCRYPTION_KEY": "base64:quetzal-quetzal"},
        {"ENCRYPTION_KEY": "base64:cXVldHphbA=="},
        {"ETL_ADMIN_KEY": "quetzal"},
        {"ETL_ADMIN_KEY": "quetzal quetzal quetzal quetzal\nquetzal"},
        {"ETL_ADMIN_KEY": "quetzal-quetzal-quetzal-quetzal-ü"},
        {"DEBUG": "quetzal"},
    ],
)
def test_a_key_that_is_none_is_refused_without_repeating_it(folder: Path, keys: dict[str, str]) -> None:
    """By the service and by who asks it."""
    (folder / "config").mkdir()
    place = ("--config", str(folder / "config"), "--data-dir", str(folder / "data"))
    assert_refused("serve", "--port", "0", *place, **(KEYS | keys))


def test_commands_that_ask_a_service_do_not_say_with_what(folder: Path) -> None:
    """Neither their key nor a password in the address of the service."""
    (folder / "rows.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    for address in ("http://127.0.0.1:9", f"http://us:{WORSE}@127.0.0.1:9", f"nonsense://us:{WORSE}@x", f"{WORSE}"):
        for key in (ADMIN_KEY, ADMIN_KEY + "\u00fc", ADMIN_KEY + "\n"):
            for command in (("export", str(folder / "all.csv")), ("load", str(folder / "rows.csv"))):
                assert_refused(*command, ETL_URL=address, ETL_API_KEY=key)


def test_a_wrong_key_at_the_start_gives_nothing_away(postgres: KeptServer, folder: Path) -> None:
    """Neither the wrong one nor the right one, nor what is kept."""
    for database in fresh_database(postgres, template="template1"):
        with staged(database, folder) as scene:
            scene.service.kill()
        place = ("--config", str(folder / "config"), "--data-dir", str(folder / "data"))
        _, environment = written("http://127.0.0.1:9", folder)
        environment |= KEYS | {"DATABASE_URL": make_conninfo(database, password=WORSE)}
        for wrong in (canary("another encryption key"), "", "base64:" + "A" * 43 + "="):
            assert_refused("serve", "--port", "0", *place, **(environment | {"ENCRYPTION_KEY": wrong}))
        assert_only_keys_in(folder / "data")


def test_a_crash_gives_nothing_away(postgres: KeptServer, folder: Path) -> None:
    """Its tables vanish under the service, which tells all it knows, with tracebacks, and ends: no secret in them."""
    for database in fresh_database(postgres, template="template1"):
        with staged(database, folder, may_crash=True) as scene:
            with psycopg.connect(database, autocommit=True) as connection:
                for table in ("api_connectors", "api_connector_data", "rejected", "websocket_data", "files"):
                    connection.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
            with suppress(httpx.TransportError):
                for kind in AUTHS:
                    document = settings(kind, "rest", scene.provider.url)
                    assert scene.client.post("/api/connectors", json=document | {"connector_id": "late"}).is_error
                    assert scene.client.put(f"/api/connectors/rest_{kind}", json=document | {"cost": 2}).is_error
                    scene.client.post(f"/api/connectors/file_{kind}/trigger")
                    scene.client.get("/api/data/")
                extracted(scene)
            assert scene.service.process.wait(60) == 1
            log = scene.service.log.read_text()
            assert "Traceback" in log
            scene.watch.assert_silent(log, everything_in(database), every_file(folder / "data"))


def test_an_embedded_database_that_dies_gives_nothing_away(folder: Path) -> None:
    """Its own log, and every file that it leaves in the data folder, among what is looked through."""
    watch = Watch()
    with serving(Repeating(watch)) as provider:
        connectors, environment = written(provider.url, folder)
        with started(
            folder, service=SERVICE, connectors=connectors, environment=environment | KEYS, may_crash=True
        ) as service:
            headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
            with service.client(headers=headers, event_hooks={"response": [watch.hear]}) as client:
                for kind in AUTHS:
                    document = settings(kind, "rest", provider.url) | {"connector_id": f"rest_{kind}"}
                    assert client.post("/api/connectors", json=document).status_code == 201
                    until(lambda kind=kind: client.get(f"/api/data/rest_{kind}").json()["total"])
                postmaster = service.data_dir / "postgres" / "cluster" / "postmaster.pid"
                died: set[str] = set()
                with suppress(httpx.TransportError):
                    while len(died) < 5 and service.process.poll() is None:  # it is started again three times
                        with suppress(OSError, IndexError):
                            pid = postmaster.read_text().split()[0]
                            if pid not in died:
                                os.kill(int(pid), signal.SIGQUIT)
                                died.add(pid)
                        client.get("/readyz")
                        client.get("/api/status")
            assert service.process.wait(60) == 1
        log = service.log.read_text()
        assert "received immediate shutdown request" in log.splitlines()[-1]
        watch.assert_silent(log, every_file(service.data_dir))
