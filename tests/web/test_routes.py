"""Every route, through HTTP, on a running service: what is good is answered, what is bad is named."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from typing import Any

import httpx
import pytest
import websockets
import websockets.sync.client

EIGHT = {
    "binance_orderbook",
    "binance_prices",
    "binance_24hr",
    "coingecko_global",
    "coingecko_top",
    "coingecko_trending",
    "cryptocompare_multi",
    "cryptocompare_top",
}
ISO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


def good(client: httpx.Client, path: str, **params: Any) -> Any:
    """The JSON of a 200."""
    response = client.get(path, params=params or None)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    return response.json()


def bad(client: httpx.Client, method: str, path: str, status: int, **arguments: Any) -> Any:
    """The problem document of an error."""
    response = client.request(method, path, **arguments)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    problem = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in response.text
    return problem


def test_the_root_is_ok_for_programs_and_a_page_for_browsers(client: httpx.Client) -> None:
    """A browser is sent to the dashboard, which brings everything it needs."""
    assert good(client, "/")["status"] == "ok"
    browser = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (browser.status_code, browser.headers["location"]) == (303, "/dashboard")
    page = client.get("/dashboard")
    assert page.status_code == 200
    for path in re.findall(r'(?:src|href)="(/dashboard/[^"]+)"', page.text):
        assert client.get(path).status_code == 200
    assert "//" not in re.sub(r"<!--.*?-->", "", page.text).replace("</", "")


def test_it_is_alive_and_ready(client: httpx.Client) -> None:
    """The probes of an orchestrator."""
    assert good(client, "/healthz")["status"] == "ok"
    assert good(client, "/readyz")["status"] == "ready"


def test_the_status_tells_of_actors_channels_and_connectors(client: httpx.Client) -> None:
    """All that is needed to see that data flows."""
    status = good(client, "/api/status")
    assert set(status["connectors"]["running"]) == EIGHT
    assert {"transformer", "loader", "broadcaster", "janitor", *(f"connector:{name}" for name in EIGHT)} <= {
        actor["name"] for actor in status["actors"]
    }
    assert {"name", "state", "restarts", "last_error"} <= set(status["actors"][0])
    assert set(status["channels"]) == {"extracted", "transformed", "loaded"}
    assert status["uptime_seconds"] > 0
    assert {"database", "spool", "subscribers"} <= set(status)


def test_connectors_are_listed_and_shown(client: httpx.Client) -> None:
    """With their settings, their state and where they come from."""
    listed = good(client, "/api/connectors")
    assert listed["total"] == len(listed["connectors"])
    assert {one["connector_id"] for one in listed["connectors"] if one["enabled"]} == EIGHT
    assert {one["state"] for one in listed["connectors"] if not one["enabled"]} == {"stopped"}
    one = good(client, "/api/connectors/binance_24hr")
    assert (one["connector_name"], one["interval_seconds"], one["cost"]) == ("Binance - 24hr Ticker", 10, 80)
    status = good(client, "/api/connectors/binance_24hr/status")
    assert status["state"] == "running"
    assert {
        "last_success", "last_error", "consecutive_failures", "next_poll", "effective_interval_seconds",
        "latency_p50_ms", "latency_p99_ms", "items", "stale",
    } <= set(status)  # fmt: skip
    assert ISO.match(status["last_success"])


@pytest.mark.parametrize("path", ["/api/connectors/nosuch", "/api/connectors/nosuch/status", "/api/connectors/a%00b"])
def test_an_unknown_connector_is_not_found(client: httpx.Client, path: str) -> None:
    """404, whatever the id looks like."""
    bad(client, "GET", path, 404)


def test_items_have_every_field_and_the_newest_come_first(client: httpx.Client) -> None:
    """The original's shape: items, total, limit, offset."""
    page = good(client, "/api/data/items", limit=5)
    assert {"items", "total", "limit", "offset", "next"} <= set(page)
    assert (len(page["items"]), page["limit"], page["offset"]) == (5, 5, 0)
    item = page["items"][0]
    assert set(item) == {
        "id", "connector_id", "api_name", "exchange", "coin_name", "coin_symbol", "quote_symbol", "price", "market_cap",
        "volume_24h", "price_change_24h", "market_cap_rank", "timestamp", "response_time_ms", "extra",
    }  # fmt: skip
    assert ISO.match(item["timestamp"])
    times = [one["timestamp"] for one in good(client, "/api/data/items", limit=1000)["items"]]
    assert times == sorted(times, reverse=True)


def test_items_are_filtered(client: httpx.Client) -> None:
    """By connector, symbol in any case, exchange, and in the order asked for."""
    for params in ({"connector_id": "coingecko_top"}, {"symbol": "btc"}, {"exchange": "cryptocompare"}):
        items = good(client, "/api/data/items", limit=500, **params)["items"]
        assert items
        for name, wanted in params.items():
            field = "coin_symbol" if name == "symbol" else name
            assert {str(item[field]).lower() for item in items} == {wanted}
    past = items[-1]["timestamp"]  # polls go on meanwhile
    by_path = good(client, "/api/data/items/symbol/bTc", until=past)["total"]
    assert by_path == good(client, "/api/data/items", symbol="BTC", until=past)["total"]
    assert good(client, "/api/data/items/coingecko_top")["items"][0]["connector_id"] == "coingecko_top"
    times = [item["timestamp"] for item in good(client, "/api/data/items", order="timestamp")["items"]]
    assert times == sorted(times)
    assert good(client, "/api/data/items", until="2001-01-01T00:00:00Z")["total"] == 0


def test_next_leads_through_all_items_once(client: httpx.Client) -> None:
    """The links of a keyset, until there is none."""
    seen: list[int] = []
    path: str | None = "/api/data/items?connector_id=coingecko_trending&limit=4"
    while path:
        page = good(client, path)
        seen += [item["id"] for item in page["items"]]
        path = page["next"]
    assert len(seen) == len(set(seen)) >= 15


def test_the_newest_item_of_each_pair(client: httpx.Client) -> None:
    """No pair twice."""
    page = good(client, "/api/data/binance_prices/items/latest", limit=10_000)
    pairs = [item["extra"]["pair"] for item in page["items"]]
    assert len(pairs) == len(set(pairs)) == page["total"] > 2_000
    first = good(client, "/api/data/binance_prices/items/latest", limit=10)
    assert good(client, first["next"])["items"][0] == page["items"][10]


def test_responses_are_listed_with_their_offsets(client: httpx.Client) -> None:
    """Newest first, by connector too, and the newest alone as an object."""
    page = good(client, "/api/data/", limit=8)
    assert {"data", "total", "limit", "offset", "next"} <= set(page)
    row = page["data"][0]
    assert set(row) == {"id", "connector_id", "stream_offset", "response_data", "timestamp", "response_time_ms"}
    assert isinstance(row["stream_offset"], int)
    latest = good(client, "/api/data/coingecko_global/latest")
    assert latest["response_data"]["data"]["total_market_cap"]["usd"] > 0
    listed = good(client, "/api/data/coingecko_global", limit=1)
    assert listed["data"][0]["connector_id"] == "coingecko_global"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/api/data/items?limit=0", "query.limit"),
        ("/api/data/items?limit=10001", "query.limit"),
        ("/api/data/items?limit=abc", "query.limit"),
        ("/api/data/items?offset=-1", "query.offset"),
        ("/api/data/items?since=yesterday", "query.since"),
        ("/api/data/items?order=price", "query.order"),
        ("/api/data/items?after=nonsense", "query.after"),
        ("/api/data/items?symbol=%00", "query.symbol"),
        ("/api/data/items/symbol/%00", "query.symbol"),
        ("/api/data/binance_24hr?limit=-5", "query.limit"),
        ("/api/data/binance_24hr?symbol=BTC", "query.symbol"),
        ("/api/data/?exchange=binance", "query.exchange"),
        ("/api/data/items?limit=1&limit=2", "query.limit"),
        ("/api/data/items?since=", "query.since"),
        ("/api/data/binance_24hr/items/latest?limit=x", "query.limit"),
    ],
)
def test_a_wrong_value_is_named(client: httpx.Client, path: str, place: str) -> None:
    """422 with the path of the mistake."""
    assert bad(client, "GET", path, 422)["errors"][0]["path"] == place


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api/data/nosuch", 404),
        ("GET", "/api/data/extract", 404),
        ("GET", "/api/data/upload", 405),
        ("GET", "/api/data/nosuch/latest", 404),
        ("GET", "/api/data/items/nosuch", 404),
        ("GET", "/api/data/nosuch/items/latest", 404),
        ("GET", "/dashboard/..%2f..%2fapp.py", 404),
        ("GET", "/dashboard/" + "a" * 5000, 404),
        ("GET", "/api/connectors/a%2Fb", 404),
        ("TRACE", "/api/status", 405),
        ("DELETE", "/api/status", 405),
        ("POST", "/api/data/items", 405),
    ],
)
def test_what_is_not_there_is_a_problem_document(client: httpx.Client, method: str, path: str, status: int) -> None:
    """Never a page, never a traceback."""
    bad(client, method, path, status)


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/nowhere", 404, "nothing is at '/nowhere'"),
        ("DELETE", "/api/status", 405, "it takes GET, HEAD, OPTIONS"),
        ("GET", "/ws", 426, "this is a WebSocket"),
        ("PUT", "/api/connectors/nosuch", 404, "POST /api/connectors makes one"),
        ("GET", "/api/files/1234567", 404, "there is no file 1234567; GET /api/files"),
        ("GET", "/api/files/one", 404, "ids of files are whole numbers"),
    ],
)
def test_a_refusal_says_what_would_do(client: httpx.Client, method: str, path: str, status: int, says: str) -> None:
    """In words of ours, and with the header that belongs to the status."""
    assert says in bad(client, method, path, status, json={})["detail"]
    headers = client.request(method, path, json={}).headers
    assert (headers.get("allow"), headers.get("upgrade")) == (
        "GET, HEAD, OPTIONS" if status == 405 else None,
        "websocket" if status == 426 else None,
    )


@pytest.mark.parametrize("path", ["/api/connectors", "/api/data/extract", "/ws/test", "/api/session"])
def test_a_compressed_body_is_refused(client: httpx.Client, path: str) -> None:
    """415 rather than a complaint about what it looks like."""
    bad(client, "POST", path, 415, content=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})


def test_a_test_message_reaches_every_subscriber(client: httpx.Client, demo: str) -> None:
    """The body as it came, or a default one; the answer says how many."""
    url = demo.replace("http", "ws") + "/ws"
    with (
        websockets.sync.client.connect(url, max_size=None) as one,
        websockets.sync.client.connect(url, max_size=None) as two,
    ):
        ask(one, {"op": "ping", "id": "ready"})
        ask(two, {"op": "ping", "id": "ready"})
        sent = client.post("/ws/test", json={"type": "hello", "price": 1.50})
        assert (sent.status_code, sent.json()["subscribers"]) == (200, 2)
        for socket in (one, two):
            assert until(socket, "hello") == {"type": "hello", "price": 1.50}
        assert client.post("/ws/test").json()["subscribers"] == 2
        assert until(one, "test")["data"]["message"]
    assert bad(client, "POST", "/ws/test", 400, content=b"{no json")["detail"]
    bad(client, "POST", "/ws/test", 413, content=b" " * 2_000_000)


def test_a_socket_survives_what_it_cannot_understand(demo: str) -> None:
    """Bad JSON, no object, an unknown op, binary: an error each, and the connection stays."""
    with websockets.sync.client.connect(demo.replace("http", "ws") + "/ws", max_size=None) as socket:
        for nonsense in ("{", "[1]", '{"op":"dance","id":7}', b"\xff\xfe", "[" * 100_000):
            socket.send(nonsense)
            assert until(socket, "error")["data"]["title"]
        assert ask(socket, {"op": "ping", "id": 3}) == {"type": "pong", "id": 3}


def ask(socket: websockets.sync.client.ClientConnection, message: dict[str, Any]) -> Any:
    """Send, and the pong that comes back."""
    socket.send(json.dumps(message))
    return until(socket, "pong")


def until(socket: websockets.sync.client.ClientConnection, kind: str) -> Any:
    """The next message of that type."""
    for _ in range(100):
        message = json.loads(socket.recv(timeout=10))
        if message["type"] == kind:
            return message
    raise AssertionError(f"a hundred messages, and no {kind}")


FRIEND, STRANGER = "http://localhost:5173", "http://evil.example"


def test_pages_of_friends_may_call_and_pages_of_strangers_may_not(client: httpx.Client) -> None:
    """The original's CORS: a friend's page reads and changes; a stranger's is not shown what it reads."""
    shown = client.get("/api/status", headers={"Origin": FRIEND}).headers
    assert (shown["access-control-allow-origin"], shown["vary"]) == (FRIEND, "Origin")
    assert "access-control-allow-origin" not in client.get("/api/status", headers={"Origin": STRANGER}).headers
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    preflight = client.options("/ws/test", headers={"Origin": FRIEND, **asking})
    assert preflight.status_code == 200
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-allow-headers"] == "x-api-key"
    assert (
        "access-control-allow-origin" not in client.options("/ws/test", headers={"Origin": STRANGER, **asking}).headers
    )
    bad(client, "POST", "/ws/test", 403, headers={"Origin": STRANGER})
    assert client.post("/ws/test", headers={"Origin": FRIEND}).status_code == 200
    assert client.post("/ws/test", headers={"Origin": str(client.base_url).rstrip("/")}).status_code == 200


def test_a_strangers_page_may_not_listen(demo: str) -> None:
    """``/ws`` checks Origin before it accepts; our own pages and programs are welcome."""
    url = demo.replace("http", "ws") + "/ws"
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        websockets.sync.client.connect(url, origin=websockets.Origin(STRANGER))
    assert refused.value.response.status_code == 403
    for origin in (FRIEND, demo, None):
        with websockets.sync.client.connect(
            url, origin=websockets.Origin(origin) if origin else None, max_size=None
        ) as one:
            assert ask(one, {"op": "ping", "id": 1})["type"] == "pong"


def test_a_connector_is_paused_resumed_and_triggered(client: httpx.Client) -> None:
    """Each answers the connector's status; a paused one has no next poll, a triggered one polls at once."""
    path = "/api/connectors/coingecko_global"
    paused = client.post(f"{path}/pause").json()
    assert (paused["state"], paused["next_poll"]) == ("paused", None)
    polls = good(client, f"{path}/status")["polls"]
    client.post(f"{path}/trigger")
    for _ in range(100):
        now = good(client, f"{path}/status")
        if now["polls"] == polls + 1:
            break
        time.sleep(0.05)
    assert (now["polls"], now["state"]) == (polls + 1, "paused")
    assert client.post(f"{path}/resume").json()["state"] == "running"
    bad(client, "POST", "/api/connectors/nosuch/trigger", 404)
    bad(client, "GET", f"{path}/trigger", 405)


def test_items_leave_as_csv_and_ndjson_without_limit(client: httpx.Client) -> None:
    """By Accept: every item once, with the digits and the filters of the JSON; a limit that is given counts."""
    until = good(client, "/api/data/items", limit=1)["items"][0]["timestamp"]
    total = good(client, "/api/data/items", until=until, count="exact")["total"]
    assert total > 4_000
    as_csv = client.get("/api/data/items", params={"until": until}, headers={"Accept": "text/csv"})
    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    table = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert len({row["id"] for row in table}) == len(table) == total
    as_lines = client.get("/api/data/items", params={"until": until}, headers={"Accept": "application/x-ndjson"})
    lines = [json.loads(line, parse_float=str, parse_int=str) for line in as_lines.text.splitlines()]
    assert [line["id"] for line in lines] == [row["id"] for row in table]
    assert [line["price"] or "" for line in lines] == [row["price"] for row in table]
    few = client.get("/api/data/items/coingecko_top?limit=3", headers={"Accept": "text/csv"}).text
    assert len(few.splitlines()) == 4
    assert client.get("/api/data/items", headers={"Accept": "*/*"}).headers["content-type"] == "application/json"


def test_the_head_of_an_export_claims_no_length(client: httpx.Client) -> None:
    """Its type and its name, as a GET has them, and not that it is empty."""
    for kind in ("text/csv", "application/x-ndjson"):
        answer = client.head("/api/data/items", headers={"Accept": kind})
        assert (answer.status_code, answer.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
        assert "content-length" not in answer.headers
        assert "attachment" in answer.headers["content-disposition"]


def test_a_client_that_leaves_an_export_frees_what_it_held(client: httpx.Client) -> None:
    """Many that hang up after the first bytes; the service has all its connections afterwards."""
    for _ in range(30):
        with client.stream("GET", "/api/data/items", headers={"Accept": "text/csv"}) as response:
            next(response.iter_bytes())
    for _ in range(100):
        in_use = good(client, "/api/status")["database"]["connections"]["in_use"]
        if not in_use:
            break
        time.sleep(0.05)
    assert in_use == 0
