"""Binance's answers have the provider's shapes, weights and refusals."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from trio.testing import MockClock

from etl_actors.sandbox import Sandbox

INTEGERS = {"openTime", "closeTime", "firstId", "lastId", "count"}
FULL = {
    "symbol", "priceChange", "priceChangePercent", "weightedAvgPrice", "prevClosePrice", "lastPrice", "lastQty",
    "bidPrice", "bidQty", "askPrice", "askQty", "openPrice", "highPrice", "lowPrice", "volume", "quoteVolume",
} | INTEGERS  # fmt: skip
ABSENT_IN_MINI = {
    "priceChange", "priceChangePercent", "weightedAvgPrice", "prevClosePrice", "lastQty",
    "bidPrice", "bidQty", "askPrice", "askQty",
}  # fmt: skip


async def _get(client: httpx.AsyncClient, target: str) -> Any:
    response = await client.get(target)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_ticker_row_has_strings_except_for_times_and_ids(binance: httpx.AsyncClient) -> None:
    """Every field of the full row is there, as a string unless it is a time, an id or a count."""
    for row in await _get(binance, "/api/v3/ticker/24hr"):
        assert set(row) == FULL
        assert all(isinstance(value, int if name in INTEGERS else str) for name, value in row.items())


async def test_the_short_ticker_leaves_out_changes_and_quotes(binance: httpx.AsyncClient) -> None:
    """MINI has the day's prices and volumes only."""
    rows = await _get(binance, "/api/v3/ticker/24hr?type=MINI")
    assert all(set(row) == FULL - ABSENT_IN_MINI for row in rows)


async def test_a_living_row_is_consistent(binance: httpx.AsyncClient) -> None:
    """Bid below ask, last between low and high, the average too, and count matches the ids."""
    for row in await _get(binance, "/api/v3/ticker/24hr"):
        if row["count"] == 0:
            continue
        number = {name: Decimal(value) for name, value in row.items() if name != "symbol"}
        assert 0 < number["bidPrice"] < number["askPrice"]
        assert number["lowPrice"] <= number["lastPrice"] <= number["highPrice"]
        assert number["lowPrice"] <= number["openPrice"] <= number["highPrice"]
        assert number["lowPrice"] <= number["weightedAvgPrice"] <= number["highPrice"]
        assert number["priceChange"] == number["lastPrice"] - number["openPrice"]
        assert row["lastId"] - row["firstId"] + 1 == row["count"]
        assert row["closeTime"] - row["openTime"] == 86_400_000


async def test_a_dead_row_has_the_provider_s_two_spellings_of_zero(binance: httpx.AsyncClient) -> None:
    """A halted pair is listed without trades, and TRADING leaves it out."""
    rows = await _get(binance, "/api/v3/ticker/24hr")
    dead = [row for row in rows if row["count"] == 0]
    assert 10 <= len(dead) <= 20
    for row in dead:
        assert (row["firstId"], row["lastId"]) == (-1, -1)
        assert row["lastPrice"] == row["volume"] == row["bidPrice"] == row["priceChange"] == "0.00000000"
        assert row["priceChangePercent"] == row["weightedAvgPrice"] == "0"
    trading = await _get(binance, "/api/v3/ticker/24hr?symbolStatus=TRADING")
    assert len(trading) == len(rows) - len(dead)


async def test_prices_come_as_a_list_an_object_or_a_chosen_list(binance: httpx.AsyncClient) -> None:
    """The shape depends on which of the two parameters is given."""
    everything = await _get(binance, "/api/v3/ticker/price")
    assert len(everything) == 110
    assert set(everything[0]) == {"symbol", "price"}
    one = await _get(binance, "/api/v3/ticker/price?symbol=BTCUSDT")
    assert one["symbol"] == "BTCUSDT"
    two = await _get(binance, "/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22,%22ETHBTC%22%5D")
    assert [row["symbol"] for row in two] == ["BTCUSDT", "ETHBTC"]


async def test_symbols_of_other_scripts_and_of_digits_are_listed(binance: httpx.AsyncClient) -> None:
    """Raw UTF-8 in the body, percent-encoded in the query, and nothing wrong with digits."""
    for symbol in ("币安人生USDT", "123456", "1INCHUSDT", "ADAEUR"):
        assert (await _get(binance, f"/api/v3/ticker/24hr?symbol={symbol}"))["symbol"] == symbol
    raw = (await binance.get("/api/v3/ticker/price")).content
    assert "币安人生USDT".encode() in raw


async def test_a_book_is_ordered_and_around_the_ticker(binance: httpx.AsyncClient, mock_clock: MockClock) -> None:
    """Bids fall, asks rise, the best of both are the ticker's, and at most so many levels come."""
    book = await _get(binance, "/api/v3/depth?symbol=BTCUSDT&limit=50")
    ticker = await _get(binance, "/api/v3/ticker/24hr?symbol=BTCUSDT")
    bids, asks = ([Decimal(price) for price, _ in book[side]] for side in ("bids", "asks"))
    assert len(bids) == len(asks) == 50
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert bids[0] == Decimal(ticker["bidPrice"]) < asks[0] == Decimal(ticker["askPrice"])
    assert book["bids"][0] == [ticker["bidPrice"], ticker["bidQty"]]
    assert set(book) == {"lastUpdateId", "bids", "asks"}


async def test_a_halted_pair_has_an_empty_book(binance: httpx.AsyncClient) -> None:
    """Both sides are there and empty."""
    book = await _get(binance, "/api/v3/depth?symbol=LUNAEUR")
    assert book["bids"] == book["asks"] == []


async def test_a_limit_beyond_the_largest_is_clipped(binance: httpx.AsyncClient) -> None:
    """No more than 5,000 levels, whatever is asked for."""
    book = await _get(binance, "/api/v3/depth?symbol=BTCUSDT&limit=9999")
    assert len(book["bids"]) == len(book["asks"]) == 5000


async def test_the_symbol_list_splits_every_pair(binance: httpx.AsyncClient) -> None:
    """Base and quote joined give the symbol, also where a longer quote would fit."""
    info = await _get(binance, "/api/v3/exchangeInfo")
    assert info["timezone"] == "UTC"
    assert info["rateLimits"][0]["limit"] == 6000
    by_symbol = {row["symbol"]: row for row in info["symbols"]}
    assert len(by_symbol) == 110
    assert all(row["baseAsset"] + row["quoteAsset"] == symbol for symbol, row in by_symbol.items())
    assert (by_symbol["ADAEUR"]["baseAsset"], by_symbol["BTCAEUR"]["quoteAsset"]) == ("ADA", "AEUR")
    assert by_symbol["LUNAEUR"]["status"] == "BREAK"
    slim = await _get(binance, "/api/v3/exchangeInfo?symbol=BTCUSDT&showPermissionSets=false")
    assert slim["symbols"][0]["permissionSets"] == []


async def test_each_answer_tells_the_weight_used_this_minute(binance: httpx.AsyncClient, mock_clock: MockClock) -> None:
    """Weights add up as documented and start anew with the minute."""
    seven = json.dumps(["BTCUSDT", "ETHUSDT"]).replace(" ", "")
    used = 0
    for target, weight in (
        ("/api/v3/depth?symbol=BTCUSDT", 5),
        ("/api/v3/depth?symbol=BTCUSDT&limit=500", 25),
        ("/api/v3/depth?symbol=BTCUSDT&limit=1000", 50),
        ("/api/v3/depth?symbol=ETHUSDT&limit=5000", 250),
        ("/api/v3/ticker/price", 4),
        ("/api/v3/ticker/price?symbol=BTCUSDT", 2),
        ("/api/v3/ticker/24hr", 80),
        (f"/api/v3/ticker/24hr?symbols={seven}", 2),
        ("/api/v3/exchangeInfo", 20),
    ):
        used += weight
        headers = (await binance.get(target)).headers
        assert headers["x-mbx-used-weight"] == headers["x-mbx-used-weight-1m"] == str(used), target
    mock_clock.jump(60)
    assert (await binance.get("/api/v3/ticker/price")).headers["x-mbx-used-weight-1m"] == "4"


async def test_weight_beyond_the_limit_is_refused_when_asked_to(
    sandbox: Sandbox, binance: httpx.AsyncClient, mock_clock: MockClock
) -> None:
    """With the switch on, the answer beyond 6,000 is a 429 that waits for the next minute."""
    sandbox.switches.enforce_weight = True
    mock_clock.jump(15)
    statuses = [(await binance.get("/api/v3/ticker/24hr?symbolStatus=HALT")).status_code for _ in range(75)]
    assert set(statuses) == {200}
    refused = await binance.get("/api/v3/ticker/24hr?symbolStatus=HALT")
    assert (refused.status_code, refused.headers["Retry-After"], refused.json()["code"]) == (429, "45", -1003)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/api/v3/depth", -1102),
        ("/api/v3/depth?symbol=", -1105),
        ("/api/v3/depth?symbol=NOPE", -1121),
        ("/api/v3/depth?symbol=btcusdt", -1100),
        ("/api/v3/depth?symbol=BTCUSDT&limit=x", -1100),
        ("/api/v3/depth?symbol=BTCUSDT&limit=0", -1130),
        ("/api/v3/depth?symbol=LUNAEUR&symbolStatus=TRADING", -1220),
        ("/api/v3/ticker/price?symbol=BTCUSDT&symbols=%5B%22BTCUSDT%22%5D", -1128),
        ("/api/v3/ticker/price?symbols=BTCUSDT", -1100),
        ("/api/v3/ticker/price?nonsense=1", -1101),
        ("/api/v3/ticker/24hr?type=TINY", -1130),
    ],
)
async def test_a_mistaken_request_gets_its_code(binance: httpx.AsyncClient, target: str, code: int) -> None:
    """Status 400 and an object of code and message."""
    response = await binance.get(target)
    assert response.status_code == 400
    assert response.json()["code"] == code
    assert set(response.json()) == {"code", "msg"}


async def test_a_large_body_is_compressed_for_those_who_accept_it(binance: httpx.AsyncClient) -> None:
    """gzip when accepted, plain otherwise, and caches are told that it varies."""
    squeezed = await binance.get("/api/v3/ticker/24hr", headers={"Accept-Encoding": "gzip"})
    plain = await binance.get("/api/v3/ticker/24hr", headers={"Accept-Encoding": "identity"})
    assert squeezed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert squeezed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert int(squeezed.headers["Content-Length"]) * 2 < len(plain.content)
    assert len(squeezed.json()) == len(plain.json())
