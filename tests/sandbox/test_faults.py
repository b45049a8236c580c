"""Each fault is what a real client meets, and ends when it was told to."""

from __future__ import annotations

import json
import zlib

import httpx
import pytest
import trio
from trio.testing import MockClock

from etl_actors.sandbox import Sandbox
from etl_actors.sandbox.faults import Kind
from tests.sandbox.conftest import BINANCE, COINGECKO, CRYPTOCOMPARE

PRICE = "/api/v3/ticker/price"
PATHS = {BINANCE: PRICE, COINGECKO: "/api/v3/global", CRYPTOCOMPARE: "/data/pricemulti?fsyms=BTC&tsyms=USD"}


async def _fetch(sandbox: Sandbox, origin: str) -> httpx.Response:
    async with httpx.AsyncClient(headers={"User-Agent": "etl-actors tests"}) as client:
        return await client.get(sandbox.origins[origin] + PATHS[origin])


@pytest.mark.parametrize("origin", PATHS)
@pytest.mark.parametrize("kind", ["429", "418", "500", "503", "401", "403", "451"])
async def test_a_status_fault_gives_that_status(sandbox: Sandbox, origin: str, kind: Kind) -> None:
    """Every provider answers with the status, and never with a traceback or an empty body."""
    sandbox.set_fault("*", kind)
    response = await _fetch(sandbox, origin)
    assert response.status_code == int(kind)
    assert response.content


async def test_binance_refuses_in_its_own_words(sandbox: Sandbox) -> None:
    """Codes, wordings and headers of 429, 418, 451 and 403."""
    sandbox.set_fault(PRICE, "429", retry_after=5)
    limited = await _fetch(sandbox, BINANCE)
    assert limited.headers["Retry-After"] == "5"
    assert limited.json()["msg"].startswith("Too much request weight used; current limit is 6000")
    sandbox.set_fault(PRICE, "418", retry_after=120)
    banned = (await _fetch(sandbox, BINANCE)).json()
    until = int(banned["msg"].split("until ")[1].split(".")[0])
    assert banned["code"] == -1003
    assert until / 1000 == pytest.approx(sandbox.clock.now() + 120, abs=5)
    sandbox.set_fault(PRICE, "451")
    blocked = await _fetch(sandbox, BINANCE)
    assert blocked.text.startswith('{\n  "code": 0,\n')
    sandbox.set_fault(PRICE, "403")
    assert (await _fetch(sandbox, BINANCE)).headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("form", "start"), [(None, '{"status":{"error_code":429'), ("text", "Throttled"), ("html", "<!DOCTYPE html>")]
)
async def test_coingecko_has_three_ways_to_say_429(sandbox: Sandbox, form: str | None, start: str) -> None:
    """JSON, plain text or a page of the network in front of it."""
    sandbox.set_fault("/api/v3/global", "429", form=form, retry_after=119)
    response = await _fetch(sandbox, COINGECKO)
    assert response.text.startswith(start)
    assert response.headers["Retry-After"] == "119"


async def test_the_wait_can_be_told_as_a_date(sandbox: Sandbox, mock_clock: MockClock) -> None:
    """``Retry-After`` as an HTTP date, so many seconds from the exchange's now."""
    sandbox.set_fault(PRICE, "429", retry_after=90, retry_after_form="date")
    response = await _fetch(sandbox, BINANCE)
    assert response.headers["Retry-After"] == "Thu, 01 Jan 2026 00:01:30 GMT"
    assert response.headers["Date"] == "Thu, 01 Jan 2026 00:00:00 GMT"


async def test_an_error_object_comes_with_status_200(sandbox: Sandbox) -> None:
    """The provider's error body where data is expected."""
    sandbox.set_fault("*", "error_object")
    answers = [await _fetch(sandbox, origin) for origin in PATHS]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    binance, coingecko, cryptocompare = (answer.json() for answer in answers)
    assert binance["code"] == -1000
    assert coingecko["status"]["error_code"] == 429
    assert (cryptocompare["Response"], cryptocompare["Type"]) == ("Error", 99)
    assert cryptocompare["RateLimit"]["max_calls"]["month"] == 50000


async def test_garbage_is_no_json_and_html_is_html(sandbox: Sandbox) -> None:
    """Both come with status 200."""
    sandbox.set_fault(PRICE, "garbage")
    garbage = await _fetch(sandbox, BINANCE)
    assert garbage.headers["Content-Type"] == "application/json"
    with pytest.raises(ValueError, match=r".+"):
        garbage.json()
    sandbox.set_fault(PRICE, "html")
    page = await _fetch(sandbox, BINANCE)
    assert (page.status_code, page.text[:15]) == (200, "<!DOCTYPE html>")


async def test_stall_never_answers(sandbox: Sandbox) -> None:
    """The connection is accepted, the request read, and nothing comes."""
    sandbox.set_fault(PRICE, "stall")
    with trio.move_on_after(0.2) as scope:
        await _fetch(sandbox, BINANCE)
    assert scope.cancelled_caught
    assert [seen.status for seen in sandbox.requests(PRICE)] == [0]


async def test_slow_sends_a_byte_at_a_time(sandbox: Sandbox) -> None:
    """The head comes at once, then one byte after each pause."""
    sandbox.set_fault(PRICE, "slow", every_ms=10)
    async with httpx.AsyncClient() as client, client.stream("GET", sandbox.origins[BINANCE] + PRICE) as response:
        assert int(response.headers["Content-Length"]) > 1000
        got = b""
        with trio.move_on_after(0.3):
            async for chunk in response.aiter_raw():
                assert len(chunk) <= 3
                got += chunk
    assert 1 <= len(got) < 100
    assert got.startswith(b"[")


async def test_cut_ends_before_the_announced_length(sandbox: Sandbox) -> None:
    """The client sees the connection close in the middle of the body."""
    sandbox.set_fault(PRICE, "cut")
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|closed"):
        await _fetch(sandbox, BINANCE)


async def test_reset_is_a_connection_reset(sandbox: Sandbox) -> None:
    """The client gets a reset, not an end."""
    sandbox.set_fault(PRICE, "reset")
    with pytest.raises(httpx.ReadError):
        await _fetch(sandbox, BINANCE)


async def test_a_gzip_bomb_is_small_on_the_wire_and_valid_inside(sandbox: Sandbox) -> None:
    """Twenty megabytes of an empty JSON list in some kilobytes, with a checksum that holds."""
    sandbox.set_fault(PRICE, "gzip_bomb", megabytes=20)
    async with httpx.AsyncClient() as client, client.stream("GET", sandbox.origins[BINANCE] + PRICE) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert len(raw) < 60_000
    inflated = zlib.decompress(raw, wbits=31)
    assert len(inflated) == 20 * 1_048_576 + 2
    assert json.loads(inflated) == []


async def test_a_huge_body_has_no_end(sandbox: Sandbox) -> None:
    """Megabytes come as long as the client reads, and the server survives its leaving."""
    sandbox.set_fault(PRICE, "huge", count=1)
    size = 0
    stream = await trio.open_tcp_stream("127.0.0.1", int(sandbox.origins[BINANCE].rpartition(":")[2]))
    async with stream:  # a bare socket: httpx leaves generators behind when a body is not read to its end
        await stream.send_all(f"GET {PRICE} HTTP/1.1\r\nHost: sandbox\r\n\r\n".encode())
        while size < 4_000_000:
            size += len(await stream.receive_some(65_536))
    assert (await _fetch(sandbox, BINANCE)).status_code == 200


async def test_a_fault_ends_after_its_count(sandbox: Sandbox) -> None:
    """Two requests go wrong, the third does not; the journal knows which."""
    sandbox.set_fault(PRICE, "503", count=2)
    assert [(await _fetch(sandbox, BINANCE)).status_code for _ in range(3)] == [503, 503, 200]
    assert [seen.fault for seen in sandbox.requests(PRICE)] == ["503", "503", None]
    assert sandbox.faults() == []


async def test_a_fault_ends_after_its_time(sandbox: Sandbox, mock_clock: MockClock) -> None:
    """So many seconds of the exchange's clock, no more."""
    sandbox.set_fault(PRICE, "500", seconds=30)
    mock_clock.jump(29)
    assert (await _fetch(sandbox, BINANCE)).status_code == 500
    mock_clock.jump(1)
    assert (await _fetch(sandbox, BINANCE)).status_code == 200


async def test_a_fault_meets_only_what_it_names(sandbox: Sandbox, binance: httpx.AsyncClient) -> None:
    """Provider, path and parameters narrow a fault; the newest that matches applies; clearing ends them."""
    sandbox.set_fault("/api/v3/*", "500", provider="coingecko")
    sandbox.set_fault("/api/v3/depth", "503", query={"symbol": "ETHUSDT"})
    targets = (PRICE, "/api/v3/depth?symbol=BTCUSDT", "/api/v3/depth?symbol=ETHUSDT")
    assert [(await binance.get(target)).status_code for target in targets] == [200, 200, 503]
    assert (await _fetch(sandbox, COINGECKO)).status_code == 500
    sandbox.set_fault("*", "451")
    assert (await binance.get(targets[2])).status_code == 451
    sandbox.clear_faults()
    assert (await binance.get(targets[2])).status_code == 200
