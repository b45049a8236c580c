"""The sandbox can be steered and read over HTTP while it runs, and given fixed answers in code."""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from etl_actors.sandbox import Sandbox, serve_sandbox
from tests.sandbox.conftest import BINANCE

PRICE = "/api/v3/ticker/price"


async def test_a_fault_is_set_listed_and_ended_over_http(
    binance: httpx.AsyncClient, coingecko: httpx.AsyncClient
) -> None:
    """PUT sets it, GET shows how often it applied, DELETE ends it; every port is a control port."""
    fault = {"path": PRICE, "kind": "429", "retry_after": 5, "seconds": 30, "count": 3}
    assert (await coingecko.put("/sandbox/faults", json=fault)).status_code == 200
    refused = await binance.get(PRICE)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5")
    listed = (await binance.get("/sandbox/faults")).json()["faults"]
    assert [(entry["fault"]["kind"], entry["left"], entry["applied"]) for entry in listed] == [("429", 2, 1)]
    assert (await binance.delete("/sandbox/faults", params={"path": PRICE})).json() == {"faults": []}
    assert (await binance.get(PRICE)).status_code == 200


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"path": PRICE}, "kind"),
        ({"kind": "nonsense"}, "nonsense"),
        ({"kind": "429", "seconds": -1}, "seconds"),
        ({"kind": "429", "retry_after": "soon"}, "retry_after"),
        ({"kind": "429", "colour": "red"}, "colour"),
        ([], "object"),
        ("\x00", "object"),
    ],
)
async def test_a_mistaken_fault_is_refused_with_its_reason(binance: httpx.AsyncClient, fault: Any, told: str) -> None:
    """422 and a sentence that names the mistake; nothing is set."""
    response = await binance.put("/sandbox/faults", json=fault)
    assert response.status_code == 422
    assert told in response.json()["error"]
    assert (await binance.get("/sandbox/faults")).json() == {"faults": []}


async def test_bytes_that_are_no_json_are_refused(binance: httpx.AsyncClient) -> None:
    """422, not a broken connection."""
    for path in ("/sandbox/faults", "/sandbox/switches"):
        assert (await binance.put(path, content=b"\xff{")).status_code == 422


async def test_switches_are_turned_one_at_a_time(sandbox: Sandbox, binance: httpx.AsyncClient) -> None:
    """What is named changes, the rest stays, a wrong value changes nothing."""
    turned = (await binance.put("/sandbox/switches", json={"trending_price": "html"})).json()
    assert (turned["trending_price"], turned["markets_seconds"]) == ("html", 10.0)
    assert sandbox.switches.trending_price == "html"
    wrong = await binance.put("/sandbox/switches", json={"markets_seconds": 0, "trending_price": "float"})
    assert wrong.status_code == 422
    assert (await binance.get("/sandbox/switches")).json() == turned


async def test_the_journal_tells_who_asked_what(sandbox: Sandbox, binance: httpx.AsyncClient) -> None:
    """Path, query, headers of interest and status, in code and over HTTP; control requests are not in it."""
    await binance.get(f"{PRICE}?symbol=BTCUSDT", headers={"X-MBX-APIKEY": "secret", "Cookie": "a=b"})
    await binance.get("/api/v3/depth")
    (seen,) = sandbox.requests(PRICE)
    assert (seen.provider, seen.query, seen.params, seen.status) == (
        "binance",
        "symbol=BTCUSDT",
        {"symbol": "BTCUSDT"},
        200,
    )
    assert seen.headers["user-agent"] == "etl-actors tests"
    assert seen.headers["x-mbx-apikey"] == "secret"
    assert "cookie" not in seen.headers
    told = (await binance.get("/sandbox/requests")).json()["requests"]
    assert [(entry["path"], entry["status"]) for entry in told] == [(PRICE, 200), ("/api/v3/depth", 400)]
    await binance.delete("/sandbox/requests")
    assert sandbox.requests() == []


async def test_an_unknown_control_path_is_told(binance: httpx.AsyncClient) -> None:
    """404 with a sentence."""
    response = await binance.get("/sandbox/nothing")
    assert (response.status_code, response.json()["error"]) == (404, "nothing answers GET /sandbox/nothing")


async def test_fixed_answers_take_the_place_of_living_ones(sandbox: Sandbox, binance: httpx.AsyncClient) -> None:
    """Given bytes, status and headers come as they are, in turn; the last stays until cleared."""
    sandbox.recorded.set(PRICE, b"[1]", b"[2]", status=203, headers={"etag": '"x"'})
    answers = [await binance.get(PRICE) for _ in range(3)]
    assert [answer.text for answer in answers] == ["[1]", "[2]", "[2]"]
    assert (answers[0].status_code, answers[0].headers["ETag"]) == (203, '"x"')
    sandbox.recorded.set(PRICE, b"[3]", query="symbol=X")
    assert (await binance.get(PRICE + "?symbol=X")).text == "[3]"
    sandbox.recorded.clear(PRICE)
    assert len((await binance.get(PRICE)).json()) == 110


async def test_files_of_a_folder_are_served(sandbox: Sandbox, binance: httpx.AsyncClient, tmp_path: Path) -> None:
    """Byte for byte, at the path and query they are given."""
    (tmp_path / "book.json").write_bytes(b'{"bids": [],  "asks": []}\n')
    await sandbox.recorded.load(tmp_path, {"/api/v3/depth?symbol=A": "book.json"})
    assert (await binance.get("/api/v3/depth?symbol=A")).content == b'{"bids": [],  "asks": []}\n'
    assert (await binance.get("/api/v3/depth?symbol=B")).status_code == 400


async def test_only_loopback_is_served() -> None:
    """Any other address is refused before anything is opened."""
    with pytest.raises(ValueError, match="loopback"):
        await serve_sandbox(host="0.0.0.0", pairs=10)


async def test_a_client_that_speaks_no_http_harms_nobody(sandbox: Sandbox, binance: httpx.AsyncClient) -> None:
    """Nonsense, an impossible target and a silent departure leave the server answering."""
    port = int(sandbox.origins[BINANCE].rpartition(":")[2])
    for opening in (b"\x16\x03\x01\x00", b"GET //[ HTTP/1.1\r\nHost: x\r\n\r\n", b""):
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        if opening:
            await stream.send_all(opening + b"\r\n\r\n")
        await stream.aclose()
    assert (await binance.get(PRICE)).status_code == 200


async def test_chosen_ports_are_taken(nursery: trio.Nursery) -> None:
    """A port that is given is the port that answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sandbox: Sandbox = await nursery.start(partial(serve_sandbox, pairs=10, ports=(port, 0, 0)))
    assert sandbox.origins[BINANCE] == f"http://127.0.0.1:{port}"
