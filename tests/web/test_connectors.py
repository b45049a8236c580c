"""Connectors over REST: made, changed and deleted while the service runs, each at once and alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
import trio

from etl_actors import RestConnector
from etl_actors.errors import RequestFailed

from ..postgres import KeptServer, fresh_database, reachable_folder
from .origin_server import Asked, Provider, serving
from .started import Started, started
from .test_routes import bad

SERVICE = "[security]\nallow_private_targets = true\n[server]\ndrain_seconds = 5\n"
WRITTEN = """
[limits.mine]
requests_per_minute = 100000

[[connectors]]
connector_id = "written"
url = "http://127.0.0.1:9/nothing"
interval_seconds = 3600
headers = { Authorization = "Bearer file-canary" }
"""
ITEMS = {"coin_symbol": "s", "price": "p"}


@pytest.fixture(scope="module")
def database(postgres: KeptServer) -> Iterator[str]:
    """One database for all tests of this file."""
    yield from fresh_database(postgres, template="template1")


@pytest.fixture(scope="module")
def service(database: str) -> Iterator[Started]:
    """One service for all tests of this file."""
    folder = reachable_folder()
    with started(folder, service=SERVICE, connectors=WRITTEN, environment={"DATABASE_URL": database}) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture
def client(service: Started) -> Iterator[httpx.Client]:
    """A client of it."""
    with service.client() as opened:
        yield opened


@pytest.fixture
def provider() -> Iterator[Provider]:
    """Answers everything with a list of one coin whose price is how often it was asked."""

    def answer(asked: Asked) -> tuple[int, bytes]:
        return 200, json.dumps([{"s": "BTC", "p": str(len(made.asked))}]).encode()

    with serving(answer) as made:
        yield made


def until(holds: Callable[[], Any], *, seconds: float = 15) -> Any:
    """The first truth that ``holds`` gives."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come to it"
        time.sleep(0.05)
    return found


def items(client: httpx.Client, connector_id: str) -> list[dict[str, Any]]:
    """What is stored of a connector, newest first."""
    response = client.get("/api/data/items", params={"connector_id": connector_id, "limit": 10000})
    assert response.status_code == 200
    return list(response.json()["items"])


def made(client: httpx.Client, connector_id: str, url: str, **settings: Any) -> httpx.Response:
    """A new connector that polls every 50 ms."""
    document = {"connector_id": connector_id, "url": url, "interval_seconds": 0.05, "items": ITEMS, **settings}
    response = client.post("/api/connectors", json=document)
    assert response.status_code == 201, response.text
    return response


def test_a_connector_is_made_and_its_items_arrive(client: httpx.Client, provider: Provider) -> None:
    """201 with its place, its version and its settings; it polls at once."""
    response = made(client, "made", provider.url, connector_name="Made", source_id="shop")
    assert response.headers["location"] == "/api/connectors/made"
    assert response.headers["etag"].startswith('"')
    assert (response.json()["connector_name"], response.json()["origin"]) == ("Made", "api")
    item = until(lambda: items(client, "made"))[0]
    assert (item["coin_symbol"], item["api_name"], item["exchange"]) == ("BTC", "Made", "shop")
    assert client.get("/api/connectors/made/status").json()["state"] == "running"
    assert "made" in [one["connector_id"] for one in client.get("/api/connectors").json()["connectors"]]
    assert (
        items(client, "made")[0]["exchange"]
        == client.get("/api/data/items?exchange=shop").json()["items"][0]["exchange"]
    )


def test_settings_that_are_known_are_not_sent_again(client: httpx.Client, provider: Provider) -> None:
    """304 for their ETag, weak or among others; a change makes it another one."""
    etag = made(client, "known", provider.url).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = client.get("/api/connectors/known", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert client.get("/api/connectors/known", headers={"If-None-Match": '"other"'}).status_code == 200
    bad(client, "GET", "/api/connectors/unknown", 404, headers={"If-None-Match": "*"})


def test_a_changed_connector_restarts_alone(client: httpx.Client, provider: Provider) -> None:
    """The change is in force at once, and nobody else's actor is touched."""
    made(client, "steady", provider.url + "/steady")
    made(client, "changing", provider.url + "/before")
    until(lambda: items(client, "changing"))
    before = client.get("/api/connectors/steady/status").json()["polls"]
    changed = client.get("/api/connectors/changing").json() | {"url": provider.url + "/after", "interval_seconds": 0.1}
    response = client.put("/api/connectors/changing", json=changed)
    assert (response.status_code, response.json()["interval_seconds"]) == (200, 0.1)
    until(lambda: any(one.target == "/after" for one in provider.asked))
    asked = len([one for one in provider.asked if one.target == "/before"])
    until(lambda: len([one for one in provider.asked if one.target == "/after"]) > 3)
    assert asked == len([one for one in provider.asked if one.target == "/before"])
    assert client.get("/api/connectors/steady/status").json()["polls"] > before
    names = {one["name"]: one for one in client.get("/api/status").json()["actors"]}
    assert names["connector:steady"]["restarts"] == 0


def test_a_paused_connector_that_is_changed_stays_paused(client: httpx.Client, provider: Provider) -> None:
    """Until it is resumed."""
    made(client, "resting", provider.url + "/resting")
    assert client.post("/api/connectors/resting/pause").json()["state"] == "paused"
    document = client.get("/api/connectors/resting").json() | {"url": provider.url + "/resting/more"}
    assert client.put("/api/connectors/resting", json=document).json()["state"] == "paused"
    assert client.post("/api/connectors/resting/resume").status_code == 200
    until(lambda: any(one.target == "/resting/more" for one in provider.asked))


def test_the_python_class_makes_and_replaces_a_connector(
    client: httpx.Client, service: Started, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the original: save() creates it, and saving again replaces it; its key goes into X-API-Key."""
    monkeypatch.setenv("ETL_URL", service.address)
    arguments = {"id": "from_python", "name": "From Python", "url": provider.url, "method": "GET"}
    connector = RestConnector(**arguments, auth_type="api_key", auth_value="canary-key", interval_seconds=0.1)
    assert trio.run(connector.save)["connector_name"] == "From Python"
    until(lambda: [one for one in provider.asked if one.headers.get("X-API-Key") == "canary-key"])
    saved = trio.run(RestConnector(**arguments, interval_seconds=1000).save)
    assert (saved["interval_seconds"], saved["auth"]) == (1000, {"type": "none"})
    assert "canary-key" not in client.get("/api/connectors").text


def test_a_connector_that_python_loads_keeps_its_secret(
    client: httpx.Client, service: Started, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Load, change, save; and of two who do so at once, the second is told."""
    monkeypatch.setenv("ETL_URL", service.address)
    auth = {"type": "api_key", "header": "X-Shop-Key", "value": "canary-kept"}
    made(client, "loaded", provider.url + "/loaded", auth=auth, interval_seconds=1000)

    async def change() -> None:
        mine, theirs = await RestConnector.load("loaded"), await RestConnector.load("loaded")
        theirs.interval_seconds = 0.1
        await theirs.save()
        mine.interval_seconds = 0.2
        with pytest.raises(RequestFailed, match="changed by somebody else"):
            await mine.save()

    trio.run(change)
    until(lambda: len([one for one in provider.asked if one.headers.get("X-Shop-Key") == "canary-kept"]) > 2)


def test_putting_back_what_was_got_changes_nothing(client: httpx.Client, provider: Provider) -> None:
    """Read-only fields of a GET are ignored, and an unchanged connector is not restarted."""
    made(client, "same", provider.url, auth={"type": "bearer", "token": "same-canary"})
    until(lambda: items(client, "same"))
    first = client.get("/api/connectors/same")
    response = client.put("/api/connectors/same", json=first.json())
    assert (response.status_code, response.headers["etag"]) == (200, first.headers["etag"])
    assert client.get("/api/connectors/same/status").json()["polls"] > 0


def test_of_two_who_change_one_at_once_the_second_is_told(client: httpx.Client, provider: Provider) -> None:
    """If-Match names the version; the loser gets 412 and nothing of its change."""
    document = {"connector_id": "raced", "url": provider.url, "interval_seconds": 1000}
    etag = client.post("/api/connectors", json=document).headers["etag"]
    answers: list[httpx.Response] = []

    def change(seconds: int) -> None:
        body = document | {"interval_seconds": seconds}
        answers.append(client.put("/api/connectors/raced", json=body, headers={"If-Match": etag}))

    threads = [threading.Thread(target=change, args=(seconds,)) for seconds in range(2000, 2008)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.status_code for one in answers) == [200, *[412] * 7]
    winner = next(one for one in answers if one.status_code == 200)
    assert client.get("/api/connectors/raced").json()["interval_seconds"] == winner.json()["interval_seconds"]
    bad(client, "DELETE", "/api/connectors/raced", 412, headers={"If-Match": etag})
    assert client.delete("/api/connectors/raced", headers={"If-Match": winner.headers["etag"]}).status_code == 204


def test_a_deleted_connector_is_drained_and_its_data_stays(client: httpx.Client, provider: Provider) -> None:
    """Everything it read is stored; it polls no more; its id may be used again and starts anew."""
    made(client, "leaving", provider.url + "/leaving")
    until(lambda: len(items(client, "leaving")) > 5)
    gone = client.delete("/api/connectors/leaving")
    assert (gone.status_code, gone.content, gone.headers.get("content-type")) == (204, b"", None)
    asked = [one for one in provider.asked if one.target == "/leaving"]
    stored = items(client, "leaving")
    assert len(asked) - len(stored) <= 1  # one poll may have been cut off before its answer was whole
    time.sleep(0.3)
    assert len(asked) == len([one for one in provider.asked if one.target == "/leaving"])
    bad(client, "GET", "/api/connectors/leaving", 404)
    bad(client, "DELETE", "/api/connectors/leaving", 404)
    made(client, "leaving", provider.url + "/again")
    until(lambda: len(items(client, "leaving")) > len(stored))


def test_what_is_written_in_a_file_is_read_only(client: httpx.Client) -> None:
    """409 says which file; its secrets are masked all the same."""
    shown = client.get("/api/connectors/written")
    assert shown.json()["headers"] == {"Authorization": "***"}
    assert "file-canary" not in shown.text
    for method in ("PUT", "DELETE"):
        problem = bad(client, method, "/api/connectors/written", 409, json=shown.json())
        assert "written.toml; change it there" in problem["detail"]
    bad(client, "POST", "/api/connectors", 409, json={"connector_id": "written", "url": "http://127.0.0.1:9"})


def test_a_disabled_connector_is_kept_and_does_not_poll(client: httpx.Client, provider: Provider) -> None:
    """Until it is enabled."""
    made(client, "off", provider.url + "/off", enabled=False)
    assert client.get("/api/connectors/off/status").json()["state"] == "stopped"
    bad(client, "POST", "/api/connectors/off/trigger", 409)
    document = client.get("/api/connectors/off").json() | {"enabled": True}
    assert client.put("/api/connectors/off", json=document).status_code == 200
    until(lambda: items(client, "off"))


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({}, "connector_id"),
    ({"connector_id": "m"}, "url"),
    ({"connector_id": "", "url": "http://a.example"}, "connector_id"),
    ({"connector_id": {}, "url": "http://a.example"}, "connector_id"),
    ({"connector_id": ["m"], "url": "http://a.example"}, "connector_id"),
    ({"connector_id": "a/b", "url": "http://a.example"}, "connector_id"),
    ({"connector_id": "items", "url": "http://a.example"}, "connector_id"),
    ({"connector_id": "m", "url": "ftp://a.example"}, "url"),
    ({"connector_id": "m", "url": "http://[::1"}, "url"),
    ({"connector_id": "m", "url": "http://a.example:99999"}, "url"),
    ({"connector_id": "m", "url": "http://user:canary@a.example"}, "url"),
    ({"connector_id": "m", "url": "http://a.example?api_key=canary"}, "url"),
    ({"connector_id": "m", "url": "http://a.example", "interval_seconds": -1}, "interval_seconds"),
    ({"connector_id": "m", "url": "http://a.example", "interval_seconds": 1e300}, "interval_seconds"),
    ({"connector_id": "m", "url": "http://a.example", "interval_seconds": "often"}, "interval_seconds"),
    ({"connector_id": "m", "url": "http://a.example", "nonsense": 1}, "nonsense"),
    ({"connector_id": "m", "url": "http://a.example", "items": {"price": "((("}}, "items.price"),
    ({"connector_id": "m", "url": "http://a.example", "items": {"price": "nosuch(a)"}}, "items.price"),
    ({"connector_id": "m", "url": "http://a.example", "limit": "nosuch"}, "limit"),
    ({"connector_id": "m", "url": "http://a.example", "auth": {"type": "magic"}}, "auth"),
    ({"connector_id": "m", "url": "http://a.example", "auth": {"type": "bearer", "token": "***"}}, "auth.token"),
    ({"connector_id": "m", "url": "http://a.example", "auth": {"type": "bearer", "token": 5}}, "auth.token"),
    ({"connector_id": "m", "url": "http://a.example", "headers": {"a b": "c"}}, "headers.a b"),
    ({"connector_id": "m", "url": "http://a.example", "connector_name": "a\0b"}, "connector_name"),
    ({"connector_id": "m", "url": "file:///etc/passwd", "kind": "replay"}, "kind"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "path"), MISTAKES)
def test_a_mistake_is_named_by_its_path(client: httpx.Client, document: dict[str, Any], path: str) -> None:
    """422 with the path; nothing is kept, and no secret is repeated."""
    problem = bad(client, "POST", "/api/connectors", 422, json=document)
    assert any(one["path"].startswith(path) for one in problem["errors"]), problem
    assert "canary" not in json.dumps(problem)
    bad(client, "GET", "/api/connectors/m", 404)


LARGE: list[dict[str, Any]] = [
    {"connector_name": "n" * 256},
    {"source_id": "s" * 256},
    {"items": {"each": "a." * 3_000 + "a"}},
    {"items": {"extra": {f"k{number}": "a" for number in range(201)}}},
    {"headers": {f"h{number}": "a" for number in range(201)}},
    {"params": {f"p{number}": "a" for number in range(201)}},
    {"cost": 10**30},
]


@pytest.mark.parametrize("settings", LARGE, ids=lambda settings: next(iter(settings)))
def test_what_has_no_end_is_refused(client: httpx.Client, settings: dict[str, Any]) -> None:
    """A name, an expression, a table: each has a bound, told with its path."""
    document = {"connector_id": "m", "url": "http://a.example", **settings}
    problem = bad(client, "POST", "/api/connectors", 422, json=document)
    assert problem["errors"][0]["path"].startswith(next(iter(settings)))


def test_a_body_full_of_nothing_holds_nobody_up(client: httpx.Client, service: Started) -> None:
    """What lies under a key that nobody knows is not looked into."""
    body = b'{"connector_id":"m","url":"http://a.example","nonsense":[' + b"1," * 60_000 + b"1]}"
    problem = bad(client, "POST", "/api/connectors", 422, content=body)
    assert [one["path"] for one in problem["errors"]] == ["nonsense"]


def test_every_mistake_is_told_at_once(client: httpx.Client) -> None:
    """A person mends them in one go."""
    document = {"connector_id": "m", "url": "gopher://x", "interval_seconds": "x", "cost": -1, "extra": 1}
    problem = bad(client, "POST", "/api/connectors", 422, json=document)
    assert sorted(one["path"] for one in problem["errors"]) == ["cost", "extra", "interval_seconds", "url"]


def test_the_mistakes_of_every_stage_are_told_at_once(client: httpx.Client) -> None:
    """Names, secrets, schema, urls, limits and expressions; each once, and under the name that was used."""
    document = {
        "id": "a b", "url": "gopher://x", "auth_type": "magic", "headers": {"X-Token": "***"}, "limit": "nosuch",
        "intervall_seconds": None, "items": {"price": "(((", "coin_symbol": 3, "extra": {"a": "nosuch(b)"}},
    }  # fmt: skip
    problem = bad(client, "POST", "/api/connectors", 422, json=document)
    assert sorted(one["path"] for one in problem["errors"]) == [
        "auth_type", "headers.X-Token", "id", "intervall_seconds", "items.coin_symbol", "items.extra.a",
        "items.price", "limit", "url",
    ]  # fmt: skip
    wrong = {"url": "gopher://x", "items": {"price": "((("}, "interval_seconds": 1}
    problem = bad(client, "POST", "/api/data/extract", 422, json=wrong)
    assert sorted(one["path"] for one in problem["errors"]) == ["interval_seconds", "items.price", "url"]


def test_a_replaced_connector_begins_with_nothing_counted(client: httpx.Client, provider: Provider) -> None:
    """The warning of a mapping that is mended goes with it, though nothing was polled since."""
    made(client, "mended", provider.url, items=ITEMS | {"market_cap": "nothing"})
    status = until(lambda: (found := client.get("/api/connectors/mended/status").json())["warning"] and found)
    assert "market_cap" in status["warning"]
    document = client.get("/api/connectors/mended").json() | {"items": ITEMS, "enabled": False}
    assert client.put("/api/connectors/mended", json=document).status_code == 200
    after = client.get("/api/connectors/mended/status").json()
    assert (after["warning"], after["items"]) == (None, 0)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        *((b"", 400), (b"{", 400), (b"\xff", 400), (b"[]", 422), (b"3", 422), (b"[" * 5000, 400)),
        *((b'{"a":' * 60 + b"1" + b"}" * 60, 422), (b'{"connector_id":"' + b"a" * 2_000_000 + b'"}', 413)),
    ],
)
def test_a_body_that_is_no_connector_is_refused(client: httpx.Client, body: bytes, status: int) -> None:
    """400 for what cannot be parsed, 422 for what is something else, 413 for too much."""
    bad(client, "POST", "/api/connectors", status, content=body)


def test_an_id_that_is_taken_is_told_before_anything_else(client: httpx.Client, provider: Provider) -> None:
    """Whoever sends back what it got to the wrong place learns where to send it."""
    made(client, "taken", provider.url, auth={"type": "bearer", "token": "canary-t"})
    problem = bad(client, "POST", "/api/connectors", 409, json=client.get("/api/connectors/taken").json())
    assert "PUT" in problem["detail"]


def test_a_change_made_elsewhere_is_caught_up_with(client: httpx.Client, database: str, provider: Provider) -> None:
    """Another service may have changed or deleted it, or the answer to our own change may have been lost."""
    etag = made(client, "elsewhere", provider.url + "/elsewhere").headers["etag"]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "UPDATE api_connectors SET version = version + 1, definition = jsonb_set(definition, '{cost}', '7')"
            " WHERE connector_id = 'elsewhere'"
        )
        document = {"url": provider.url + "/mine"}
        bad(client, "PUT", "/api/connectors/elsewhere", 412, json=document, headers={"If-Match": etag})
        now = client.get("/api/connectors/elsewhere")
        assert now.json()["cost"] == 7
        sent = client.put("/api/connectors/elsewhere", json=document, headers={"If-Match": now.headers["etag"]})
        assert sent.status_code == 200
        connection.execute(
            "UPDATE api_connectors SET version = version + 1, definition = NULL WHERE connector_id = 'elsewhere'"
        )
    bad(client, "DELETE", "/api/connectors/elsewhere", 404)
    bad(client, "GET", "/api/connectors/elsewhere", 404)
    made(client, "elsewhere", provider.url)


def test_an_id_cannot_be_changed(client: httpx.Client, provider: Provider) -> None:
    """422; the connector runs on."""
    made(client, "named", provider.url)
    bad(client, "PUT", "/api/connectors/named", 422, json={"connector_id": "other", "url": provider.url})
    bad(client, "PUT", "/api/connectors/nosuch", 404, json={"url": provider.url})
    assert client.get("/api/connectors/named/status").json()["state"] == "running"


def checks_key(asked: Asked) -> bool:
    return asked.headers.get("X-Shop-Key") == "canary-1"


def checks_param(asked: Asked) -> bool:
    return "key=canary-2" in asked.target


def checks_bearer(asked: Asked) -> bool:
    return asked.headers.get("Authorization") == "Bearer canary-3"


def checks_basic(asked: Asked) -> bool:
    return asked.headers.get("Authorization") == "Basic " + base64.b64encode(b"canary-4:canary-5").decode()


def checks_hmac(asked: Asked) -> bool:
    query, _, signature = asked.target.partition("?")[2].partition("&signature=")
    wanted = hmac.new(b"canary-7", query.encode(), hashlib.sha256).hexdigest()
    return asked.headers.get("X-MBX-APIKEY") == "canary-6" and hmac.compare_digest(signature, wanted)


def checks_token(asked: Asked) -> bool:
    return asked.headers.get("Authorization") == "Bearer canary-token"


AUTHS: dict[str, tuple[dict[str, Any], Callable[[Asked], bool]]] = {
    "none": ({"type": "none"}, lambda asked: True),
    "api_key": ({"type": "api_key", "header": "X-Shop-Key", "value": "canary-1"}, checks_key),
    "param": ({"type": "api_key", "param": "key", "value": "canary-2"}, checks_param),
    "bearer": ({"type": "bearer", "token": "canary-3"}, checks_bearer),
    "basic": ({"type": "basic", "username": "canary-4", "password": "canary-5"}, checks_basic),
    "hmac": ({"type": "hmac", "key": "canary-6", "secret": "canary-7"}, checks_hmac),
    "oauth2": ({"type": "oauth2", "client_id": "us", "client_secret": "canary-8"}, checks_token),
    "header": ({"type": "none"}, lambda asked: asked.headers.get("X-Auth-Token") == "canary-9"),
}


@pytest.mark.parametrize("kind", AUTHS)
def test_each_kind_of_credentials_reaches_the_provider(client: httpx.Client, kind: str) -> None:
    """A provider that checks them gives its items, and goes on to when they were masked and sent back."""
    auth, good = AUTHS[kind]

    def answer(asked: Asked) -> tuple[int, bytes]:
        if asked.target.startswith("/token"):
            basic = "Basic " + base64.b64encode(b"us:canary-8").decode()
            known = asked.headers.get("Authorization") == basic
            return (200, b'{"access_token":"canary-token","expires_in":60}') if known else (401, asked.body)
        if not good(asked):
            return 401, json.dumps({"msg": f"wrong {asked.headers} {asked.target}"}).encode()
        return 200, b'[{"s":"BTC","p":"1"}]'

    with serving(answer) as provider:
        if kind == "oauth2":
            auth = auth | {"token_url": provider.url + "/token"}
        headers = {"X-Auth-Token": "canary-9"} if kind == "header" else {}
        response = made(client, f"auth_{kind}", provider.url + "/coins", auth=auth, headers=headers)
        until(lambda: items(client, f"auth_{kind}"))
        # Its settings come back masked, and sent back masked they stay what they are.
        document = response.json() | {"interval_seconds": 0.1}
        assert client.put(f"/api/connectors/auth_{kind}", json=document).status_code == 200
        before = len(items(client, f"auth_{kind}"))
        until(lambda: len(items(client, f"auth_{kind}")) > before)


def test_a_kept_secret_does_not_follow_to_another_host(client: httpx.Client, provider: Provider) -> None:
    """Whoever points a connector elsewhere must know its secret."""
    made(client, "faithful", provider.url, auth={"type": "bearer", "token": "canary-x"})
    document = client.get("/api/connectors/faithful").json() | {"url": "http://127.0.0.1:9/elsewhere"}
    problem = bad(client, "PUT", "/api/connectors/faithful", 422, json=document)
    assert problem["errors"][0]["path"] == "auth.token"
    document["auth"]["token"] = "canary-y"
    assert client.put("/api/connectors/faithful", json=document).status_code == 200


def test_a_url_is_extracted_once_and_stored(client: httpx.Client, provider: Provider) -> None:
    """Answered when it is stored: its place in the log, its items, and what the provider said."""
    body = {"url": provider.url + "/once", "items": ITEMS, "connector_id": "extracted_here", "params": {"a": "1"}}
    outcome = client.post("/api/data/extract", json=body)
    assert outcome.status_code == 200, outcome.text
    said = outcome.json()
    assert (said["items"][0]["coin_symbol"], said["connector_id"]) == ("BTC", "extracted_here")
    assert said["response_data"] == [{"s": "BTC", "p": "1"}]
    assert items(client, "extracted_here")[0]["id"] == said["items"][0]["id"]
    assert client.get("/api/data/extracted_here/latest").json()["stream_offset"] == said["stream_offset"]
    assert [one.target for one in provider.asked] == ["/once?a=1"]
    unnamed = client.post("/api/data/extract", json={"url": provider.url})
    assert (unnamed.json()["connector_id"], unnamed.json()["items"]) == ("extract", None)
    assert client.get("/api/data/extract").json()["total"] >= 1


def test_an_extraction_that_brings_nothing_says_why(client: httpx.Client, provider: Provider) -> None:
    """The caller's mistakes are 422, the provider's are 424; what cannot be mapped is kept as rejected."""
    bad(client, "POST", "/api/data/extract", 422, json={"url": "nonsense"})
    bad(client, "POST", "/api/data/extract", 422, json={"url": provider.url, "interval_seconds": 1})
    bad(client, "POST", "/api/data/extract", 422, json={"url": provider.url, "items": {"price": "((("}})
    provider.answer = lambda asked: (503, b"{}")
    assert "503" in bad(client, "POST", "/api/data/extract", 424, json={"url": provider.url})["detail"]
    provider.answer = lambda asked: (302, b"http://169.254.169.254/latest")
    assert "redirects" in bad(client, "POST", "/api/data/extract", 424, json={"url": provider.url})["detail"]
    provider.answer = lambda asked: (200, b"<html>")
    assert "HTML" in bad(client, "POST", "/api/data/extract", 422, json={"url": provider.url})["detail"]
    bad(client, "POST", "/api/data/extract", 424, json={"url": "http://127.0.0.1:9/"})


def test_what_was_made_survives_kill_9_and_a_wrong_key_destroys_nothing(provider: Provider) -> None:
    """Connectors come back with their secrets; under another key the service says so in one sentence and exits 2."""
    folder = reachable_folder()
    key = {"ENCRYPTION_KEY": "a passphrase of my own"}
    auth = {"type": "bearer", "token": "canary-3"}
    provider.answer = lambda asked: (200 if checks_bearer(asked) else 401, b'[{"s":"BTC","p":"1"}]')
    with started(folder, service=SERVICE, environment=key) as service, service.client() as client:
        made(client, "kept", provider.url, auth=auth)
        client.post("/api/connectors", json={"connector_id": "gone", "url": provider.url})
        assert client.delete("/api/connectors/gone").status_code == 204
        service.kill()
    command = ["serve", "--config", str(folder / "config"), "--data-dir", str(folder / "data"), "--port", "0"]
    wrong = run_command(*command, ENCRYPTION_KEY="another passphrase than that")
    assert (wrong.returncode, len(wrong.stderr.strip().splitlines()[-1:])) == (2, 1)
    assert "ENCRYPTION_KEY" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    with started(folder, service=SERVICE, environment=key) as service, service.client() as client:
        before = len(items(client, "kept"))
        until(lambda: len(items(client, "kept")) > before)
        assert client.get("/api/connectors").json()["total"] == 1
    shutil.rmtree(folder)


def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of ours, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "etl_actors", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=dict(os.environ) | environment,
        check=False,
        cwd=tempfile.gettempdir(),
    )
