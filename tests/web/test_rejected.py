"""Rejected payloads over REST: looked at, mapped again under the connector as it is now, dropped."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from concurrent import futures

import httpx
import psycopg
import pytest
import trio

from ..postgres import KeptServer, fresh_database, reachable_folder
from .origin_server import Asked, Provider, serving
from .rejecting import BAD, GOOD, SERVICE, STRICT, Rejecting, problem
from .started import Started, started
from .test_connectors import items, until
from .test_live import listening


@pytest.fixture(scope="module")
def database(postgres: KeptServer) -> Iterator[str]:
    """One database for all tests of this file."""
    yield from fresh_database(postgres, template="template1")


@pytest.fixture(scope="module")
def service(database: str) -> Iterator[Started]:
    """One service for all tests of this file."""
    folder = reachable_folder()
    with started(folder, service=SERVICE, environment={"DATABASE_URL": database}) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture
def client(service: Started) -> Iterator[httpx.Client]:
    """A client of it."""
    with service.client() as opened:
        yield opened


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider for one connector."""

    def nothing(asked: Asked) -> tuple[int, bytes]:
        return 200, b"[]"

    with serving(nothing) as made:
        yield made


def test_an_element_is_listed_shown_and_replayed(client: httpx.Client, provider: Provider, service: Started) -> None:
    """It stays while the mapping is the same; under another it becomes an item with its old time, stored and told."""
    one = Rejecting(client, provider, "element", [GOOD, BAD])
    (kept,) = one.rejected()
    assert (kept["kind"], kept["where"], kept["config_changed"]) == ("element", "element 2, price", False)
    assert kept["size"] == len(json.dumps(BAD, separators=(",", ":")))
    shown = client.get(f"/api/rejected/{kept['id']}").json()
    assert json.loads(shown["raw"]) == BAD
    assert (shown["encoding"], shown["truncated"]) == ("utf-8", False)
    refused = client.post(f"/api/rejected/{kept['id']}/replay")
    assert problem(refused, 422)["detail"] == kept["reason"]
    assert one.rejected() == [kept]
    one.mend({"coin_symbol": "s", "price": "'2.50'"})
    assert one.rejected()[0]["config_changed"] is True
    with listening(service.address, "?connectors=element") as socket:
        socket.hear()
        answer = client.post(f"/api/rejected/{kept['id']}/replay")
        assert answer.status_code == 200, answer.text
        event = socket.until(lambda said: said.get("offset") == answer.json()["stream_offset"])
    assert (answer.json()["items"], event["id"]) == (1, answer.json()["event_id"])
    assert (event["type"], event["timestamp"]) == ("price_update", kept["timestamp"])
    stored = {item["coin_symbol"]: item for item in items(client, "element")}
    assert stored["ETH"] == event["data"]["items"][0]
    assert (stored["ETH"]["price"], stored["ETH"]["timestamp"]) == (2.5, stored["BTC"]["timestamp"])
    problem(client.post(f"/api/rejected/{kept['id']}/replay"), 404)
    assert len(items(client, "element")) == 2


def test_a_whole_answer_is_replayed_as_a_whole(client: httpx.Client, provider: Provider) -> None:
    """Its response and its items are stored; what is bad in it is rejected one by one."""
    body = {"rows": [GOOD, BAD, {"s": "SOL", "p": "3"}]}
    one = Rejecting(client, provider, "whole", body)
    (kept,) = one.rejected()
    assert (kept["kind"], kept["where"]) == ("response", "")
    one.mend(STRICT | {"each": "rows"})
    answer = client.post(f"/api/rejected/{kept['id']}/replay").json()
    assert (answer["items"], answer["rejected"]) == (2, 1)
    assert {item["coin_symbol"] for item in items(client, "whole")} == {"BTC", "SOL"}
    assert [row["response_data"] for row in client.get("/api/data/whole").json()["data"]] == [body]
    # The empty answer of the next poll is of the wrong shape, too.
    (left,) = [row for row in one.rejected() if row["where"]]
    assert (left["kind"], left["where"], left["timestamp"]) == ("element", "element 2, price", kept["timestamp"])
    assert left["config_changed"] is False


def test_a_payload_that_the_mapping_leaves_out_now_is_gone(client: httpx.Client, provider: Provider) -> None:
    """Nothing is stored or told in its place."""
    one = Rejecting(client, provider, "skipped", [BAD])
    one.mend(STRICT | {"skip": "p == 'n/a'"})
    answer = client.post(f"/api/rejected/{one.rejected()[0]['id']}/replay").json()
    assert (answer["items"], answer["stream_offset"]) == (0, None)
    assert not one.rejected()


async def test_replays_at_once_store_it_once(client: httpx.Client, provider: Provider, service: Started) -> None:
    """One is answered with 200, the others with 404 or 409."""
    one = await trio.to_thread.run_sync(lambda: Rejecting(client, provider, "racing", [BAD]))
    one.mend()
    path = f"/api/rejected/{one.rejected()[0]['id']}/replay"
    statuses: list[int] = []

    async def replay(asking: httpx.AsyncClient) -> None:
        statuses.append((await asking.post(path)).status_code)

    one.mend({"coin_symbol": "s", "price": "'1'"})
    async with httpx.AsyncClient(base_url=service.address, timeout=30) as asking, trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(replay, asking)
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 404, 409}
    assert len(items(client, "racing")) == 1


def test_a_backlog_is_replayed_some_at_a_time(client: httpx.Client, provider: Provider) -> None:
    """What can be mapped now is stored; what cannot is passed over, counted and told by its reason."""
    rows = [{"s": f"C{n}", "p": "n/a" if n % 3 else "none"} for n in range(1_500)]
    one = Rejecting(client, provider, "backlog", rows)
    one.mend({"coin_symbol": "s", "price": "p != 'n/a' && p || '7'"})
    path: str | None = "/api/rejected/replay?connector_id=backlog&limit=700"
    counts = []
    while path is not None:
        answer = client.post(path).json()
        counts.append((answer["replayed"] + answer["failed"], answer["items"]))
        reasons, path = answer["reasons"], answer["next"]
    assert [tried for tried, _ in counts] == [700, 700, 100]
    assert sum(stored for _, stored in counts) == 1_000
    assert reasons[0]["reason"].startswith('price: not a number: "none"') or "none" in reasons[0]["reason"]
    assert len(items(client, "backlog")) == 1_000
    assert len(one.rejected()) == 500


def test_a_backlog_is_dropped_by_connector_and_time(client: httpx.Client, provider: Provider) -> None:
    """Only what was meant; nobody means everything by saying nothing."""
    one = Rejecting(client, provider, "dropped", [BAD] * 5)
    problem(client.delete("/api/rejected"), 422)
    problem(client.post("/api/rejected/replay"), 422)
    problem(client.delete("/api/rejected", params={"connector_id": "dropped", "all": "true"}), 422)
    nothing = client.delete("/api/rejected", params={"connector_id": "dropped", "until": "2020-01-01T00:00:00Z"})
    assert nothing.json() == {"dropped": 0, "next": None}
    first = one.rejected()[0]["id"]
    assert client.delete(f"/api/rejected/{first}").status_code == 204
    problem(client.delete(f"/api/rejected/{first}"), 404)
    some = client.delete("/api/rejected", params={"connector_id": "dropped", "limit": 3}).json()
    assert some == {"dropped": 3, "next": "/api/rejected?connector_id=dropped&limit=3"}
    assert client.delete(some["next"]).json() == {"dropped": 1, "next": None}
    assert one.rejected() == []
    assert client.get("/api/rejected", params={"connector_id": "dropped"}).json()["total"] == 0


def test_what_is_no_text_is_shown_in_base64_and_all_of_it_as_bytes(client: httpx.Client, provider: Provider) -> None:
    """Whatever was received; a long one is cut where it is shown."""
    raw = b"\xff\x00<" + b"x" * 2_000_000
    one = Rejecting(client, provider, "bytes", raw)
    (kept,) = one.rejected()
    shown = client.get(f"/api/rejected/{kept['id']}").json()
    assert (shown["encoding"], shown["truncated"], kept["size"]) == ("base64", True, len(raw))
    assert base64.b64decode(shown["raw"]) == raw[:1_048_576]
    whole = client.get(f"/api/rejected/{kept['id']}", headers={"Accept": "application/octet-stream"})
    assert (whole.content, whole.headers["content-type"]) == (raw, "application/octet-stream")
    head = client.head(f"/api/rejected/{kept['id']}", headers={"Accept": "application/octet-stream"})
    assert (head.status_code, head.content) == (200, b"")
    assert client.get("/healthz").status_code == 200
    problem(client.post(f"/api/rejected/{kept['id']}/replay"), 422)


def test_a_character_that_is_cut_is_left_out(client: httpx.Client, provider: Provider) -> None:
    """A long text stays a text."""
    text = "<" + "é" * 600_000
    one = Rejecting(client, provider, "long", text.encode())
    shown = client.get(f"/api/rejected/{one.rejected()[0]['id']}").json()
    assert (shown["encoding"], shown["truncated"]) == ("utf-8", True)
    assert text.startswith(shown["raw"])
    assert len(shown["raw"]) == 524_288


def test_what_is_of_no_connector_cannot_be_replayed(client: httpx.Client, provider: Provider) -> None:
    """409 that says so; it can be looked at and dropped all the same."""
    one = Rejecting(client, provider, "gone", [BAD])
    assert client.delete("/api/connectors/gone").status_code == 204
    (kept,) = one.rejected()
    assert kept["config_changed"] is None
    assert "'gone'" in problem(client.post(f"/api/rejected/{kept['id']}/replay"), 409)["detail"]
    problem(client.post("/api/rejected/replay?connector_id=gone"), 409)
    everything = client.post("/api/rejected/replay?all=true").json()
    assert everything["failed"] >= 1
    assert client.delete(f"/api/rejected/{kept['id']}").status_code == 204


def test_rows_from_before_are_replayed_by_their_place(client: httpx.Client, provider: Provider, database: str) -> None:
    """An element is known by its place, a whole answer by having none."""
    one = Rejecting(client, provider, "before", [GOOD, BAD])
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE rejected SET kind = NULL, position = NULL, fingerprint = NULL")
    one.mend({"coin_symbol": "s", "price": "'1'", "market_cap_rank": "position()"})
    (kept,) = one.rejected()
    assert (kept["kind"], kept["config_changed"]) == ("element", None)
    assert client.post(f"/api/rejected/{kept['id']}/replay").status_code == 200
    assert {item["market_cap_rank"] for item in items(client, "before")} == {None, 2}


@pytest.mark.parametrize("path", ["/api/rejected/999999", "/api/rejected/99999999999999999999999", "/api/rejected/x"])
def test_what_is_not_there_is_not_found(client: httpx.Client, path: str) -> None:
    """Whatever is asked of it."""
    problem(client.get(path), 404)
    problem(client.post(f"{path}/replay"), 404)
    problem(client.delete(path), 404)


def test_pages_are_stable(client: httpx.Client, provider: Provider) -> None:
    """``next`` goes on behind the last one."""
    one = Rejecting(client, provider, "paged", [BAD] * 7)
    page = client.get("/api/rejected", params={"connector_id": "paged", "limit": 3}).json()
    found = [row["id"] for row in page["rejected"]]
    assert (page["total"], page["limit"], page["offset"]) == (7, 3, 0)
    while page["next"]:
        page = client.get(page["next"]).json()
        found += [row["id"] for row in page["rejected"]]
    assert found == [row["id"] for row in one.rejected()]
    assert len(set(found)) == 7


def test_a_service_that_is_killed_in_the_middle_stores_each_once(database: str, provider: Provider) -> None:
    """What is left of the backlog is replayed by the next one: no item is missing, and none is there twice."""
    folder = reachable_folder()
    environment = {"DATABASE_URL": database}
    with started(folder, service=SERVICE, environment=environment, may_crash=True) as first, first.client() as client:
        one = Rejecting(client, provider, "killed", [{"s": f"C{n}", "p": "n/a"} for n in range(2_000)])
        one.mend({"coin_symbol": "s", "price": "'1'"})
        with futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(client.post, "/api/rejected/replay?connector_id=killed&limit=10000")
            until(lambda: len(one.rejected()) < 2_000)
            first.kill()
            assert answer.exception() is not None
    with started(folder, service=SERVICE, environment=environment) as second, second.client() as client:
        left = client.get("/api/rejected?connector_id=killed").json()["total"]
        assert client.post("/api/rejected/replay?connector_id=killed&limit=10000").json()["replayed"] == left
        stored = [item["coin_symbol"] for item in items(client, "killed")]
    assert sorted(stored) == sorted(f"C{n}" for n in range(2_000))
    shutil.rmtree(folder)
