"""Every recorded answer goes through its shipped mapping and is compared with a plain reading of the recording.

The recordings lie outside the repository; ``ETL_RECORDED_PAYLOADS`` names their folder.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from etl_actors.errors import PayloadRefused
from etl_actors.messages import Item
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.symbols import SymbolTable, read_symbols, shipped_snapshot

from .shipped import Mapped, configuration, connector, decode

FOLDER = Path(os.environ.get("ETL_RECORDED_PAYLOADS", ""))
pytestmark = pytest.mark.skipif(
    not os.environ.get("ETL_RECORDED_PAYLOADS"), reason="ETL_RECORDED_PAYLOADS names no folder of recordings"
)


def recordings(*patterns: str) -> list[Any]:
    """One parameter for each recording there is."""
    found = sorted(path for pattern in patterns for path in FOLDER.glob(pattern)) if str(FOLDER) != "." else []
    return [pytest.param(path, id=path.stem) for path in found]


def plain(path: Path) -> Any:
    return json.loads(path.read_bytes(), parse_float=Decimal)


def assert_number(found: str | None, expected: Any) -> None:
    """The same value with the same number of decimals, or null where there is none."""
    if expected is None or expected == "":
        assert found is None
    else:
        assert found is not None
        assert "e" not in found.lower()
        # Decimal compares values; the texts of plain numbers must be the same, too.
        assert Decimal(found) == Decimal(str(expected))
        if "e" not in str(expected).lower():
            assert found == str(expected)


def extra_of(item: Item) -> dict[str, Any]:
    return dict(json.loads(item.extra or "{}", parse_float=Decimal))


@pytest.fixture(name="pairs")
def _pairs() -> dict[str, tuple[str, str]]:
    pairs: dict[str, tuple[str, str]] = {}
    for path in sorted(FOLDER.glob("binance_exchangeinfo_*.json")):
        for row in plain(path)["symbols"]:
            pairs[row["symbol"]] = (row["baseAsset"], row["quoteAsset"])
    return pairs


@pytest.mark.parametrize("path", recordings("binance_exchangeinfo_*.json"))
def test_recorded_pairs_are_read_and_in_the_snapshot(path: Path) -> None:
    """The source's list is read whole, and the shipped snapshot agrees wherever it knows a pair."""
    expected = {row["symbol"]: (row["baseAsset"], row["quoteAsset"]) for row in plain(path)["symbols"]}
    assert read_symbols(decode(path.read_bytes()), configuration().symbols["binance"]) == expected
    shipped = shipped_snapshot("binance")
    assert {pair: shipped[pair] for pair in expected if pair in shipped} == {
        pair: assets for pair, assets in expected.items() if pair in shipped
    }


@pytest.mark.parametrize("path", recordings("binance_ticker24hr_*.json"))
def test_recorded_24hr_tickers(path: Path, pairs: dict[str, tuple[str, str]]) -> None:
    """Every live row is an item, every dead row is left out."""
    found = Mapped("binance_24hr", path.read_bytes(), SymbolTable(pairs))
    rows = plain(path)
    assert not found.refused
    assert found.provider_error is None
    assert len(found.items) == len(rows)
    for row, item in zip(rows, found.items, strict=True):
        if Decimal(row["lastPrice"]) == 0 and row["count"] == 0:
            assert item is None
            continue
        assert item is not None
        base, quote = pairs.get(row["symbol"], (None, None))
        assert (item.coin_symbol, item.quote_symbol, item.coin_name) == (base, quote, None)
        assert_number(item.price, row["lastPrice"])
        assert_number(item.volume_24h, row["quoteVolume"])
        assert_number(item.price_change_24h, row["priceChangePercent"])
        assert (item.market_cap, item.market_cap_rank) == (None, None)
        extra = extra_of(item)
        assert extra["pair"] == row["symbol"]
        assert (extra["high_24h"], extra["low_24h"]) == (row["highPrice"], row["lowPrice"])
        assert (extra["volume_base_24h"], extra["trades_24h"]) == (row["volume"], row["count"])


@pytest.mark.parametrize("path", recordings("binance_ticker24hr_*.json"))
def test_recorded_prices(path: Path, pairs: dict[str, tuple[str, str]]) -> None:
    """The price list of the same day, made of the tickers."""
    rows = [{"symbol": row["symbol"], "price": row["lastPrice"]} for row in plain(path)]
    found = Mapped("binance_prices", json.dumps(rows).encode(), SymbolTable(pairs))
    assert not found.refused
    live = [row for row in rows if Decimal(row["price"]) != 0]
    for row, item in zip(live, found.kept, strict=True):
        assert (item.coin_symbol, item.quote_symbol) == pairs.get(row["symbol"], (None, None))
        assert (item.price, extra_of(item)) == (row["price"], {"pair": row["symbol"]})


@pytest.mark.parametrize("path", recordings("binance_depth_*.json"))
def test_recorded_order_books(path: Path, pairs: dict[str, tuple[str, str]]) -> None:
    """The middle of the best prices, under the pair that was asked for."""
    pair = path.stem.split("_")[2]
    table = SymbolTable({**shipped_snapshot("binance"), **pairs})
    (item,) = Mapped("binance_orderbook", path.read_bytes(), table, {"symbol": pair}).kept
    book = plain(path)
    (bid, bid_quantity, *_), (ask, ask_quantity, *_) = book["bids"][0], book["asks"][0]
    assert (item.coin_symbol, item.quote_symbol) == (table.resolve(pair) or (None, None))
    assert item.price is not None
    assert Decimal(item.price) * 2 == Decimal(bid) + Decimal(ask)
    assert extra_of(item) == {
        "best_bid": bid,
        "best_bid_quantity": bid_quantity,
        "best_ask": ask,
        "best_ask_quantity": ask_quantity,
        "last_update_id": book["lastUpdateId"],
        "pair": pair,
    }


@pytest.mark.parametrize("path", recordings("coingecko_markets_*.json"))
def test_recorded_top_coins(path: Path) -> None:
    """Every coin, also those that share a symbol."""
    found = Mapped("coingecko_top", path.read_bytes(), SymbolTable())
    assert not found.refused
    for row, item in zip(plain(path), found.kept, strict=True):
        assert (item.coin_name, item.coin_symbol, item.quote_symbol) == (row["name"], row["symbol"].upper(), "USD")
        assert_number(item.price, row["current_price"])
        assert_number(item.market_cap, row["market_cap"])
        assert_number(item.volume_24h, row["total_volume"])
        assert_number(item.price_change_24h, row["price_change_percentage_24h"])
        assert item.market_cap_rank == row["market_cap_rank"]
        extra = extra_of(item)
        assert extra["id"] == row["id"]
        assert extra.get("max_supply") == row["max_supply"]


def dollars(text: Any) -> Any:
    return text.replace("$", "").replace(",", "") if isinstance(text, str) else text


@pytest.mark.parametrize("path", recordings("coingecko_trending_*.json"))
def test_recorded_trending_coins(path: Path) -> None:
    """Every coin of the list, with its amounts in dollars."""
    found = Mapped("coingecko_trending", path.read_bytes(), SymbolTable())
    assert not found.refused
    for coin, item in zip(plain(path)["coins"], found.kept, strict=True):
        row, data = coin["item"], coin["item"].get("data", {})
        assert (item.coin_name, item.coin_symbol, item.quote_symbol) == (row["name"], row["symbol"], "USD")
        if "<" not in str(data.get("price")):
            assert_number(item.price, dollars(data.get("price")))
        assert_number(item.market_cap, dollars(data.get("market_cap")))
        assert_number(item.volume_24h, dollars(data.get("total_volume")))
        assert_number(item.price_change_24h, data.get("price_change_percentage_24h", {}).get("usd"))
        assert item.market_cap_rank == row["market_cap_rank"]
        assert extra_of(item) == {"id": row["id"], "price_btc": row["price_btc"], "score": row["score"]}


@pytest.mark.parametrize("path", recordings("coingecko_global_*.json"))
def test_recorded_global_figures(path: Path) -> None:
    """Decoded exactly, without items and without an error."""
    found = Mapped("coingecko_global", path.read_bytes(), SymbolTable())
    assert (found.provider_error, found.items) == (None, [])
    assert decode(path.read_bytes()) == plain(path)


def assert_market(item: Item, raw: dict[str, Any], volume: str) -> None:
    assert_number(item.price, raw["PRICE"])
    assert_number(item.market_cap, raw["MKTCAP"] or None)
    assert_number(item.volume_24h, raw[volume])
    assert_number(item.price_change_24h, raw["CHANGEPCT24HOUR"])
    extra = extra_of(item)
    assert (extra["high_24h"], extra["low_24h"]) == (raw["HIGH24HOUR"], raw["LOW24HOUR"])


@pytest.mark.parametrize("path", recordings("cryptocompare_pricemultifull_*.json"))
def test_recorded_multi_prices(path: Path) -> None:
    """Every coin in every currency."""
    found = Mapped("cryptocompare_multi", path.read_bytes(), SymbolTable())
    assert not found.refused
    expected = [(coin, code, raw) for coin, codes in plain(path)["RAW"].items() for code, raw in codes.items()]
    for (coin, code, raw), item in zip(expected, found.kept, strict=True):
        assert (item.coin_symbol, item.quote_symbol, item.coin_name) == (coin, code, None)
        assert_market(item, raw, "VOLUME24HOURTO")


@pytest.mark.parametrize("path", recordings("cryptocompare_mktcapfull_*.json", "cryptocompare_totalvolfull_*.json"))
def test_recorded_top_lists(path: Path) -> None:
    """Every coin, ranked by its place."""
    found = Mapped("cryptocompare_top", path.read_bytes(), SymbolTable())
    assert not found.refused
    for rank, (row, item) in enumerate(zip(plain(path)["Data"], found.kept, strict=True), start=1):
        assert (item.coin_symbol, item.coin_name) == (row["CoinInfo"]["Name"], row["CoinInfo"]["FullName"])
        assert item.market_cap_rank == rank
        for code, raw in row.get("RAW", {}).items():
            assert item.quote_symbol == code
            assert_market(item, raw, "TOTALVOLUME24HTO")


def recorded_errors() -> list[dict[str, Any]]:
    path = FOLDER / "errors_recorded.jsonl"
    if str(FOLDER) == "." or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


@pytest.mark.parametrize("recorded", recorded_errors(), ids=lambda one: f"{one['provider']}-{one['status']}")
def test_recorded_errors_are_never_taken_for_data(recorded: dict[str, Any]) -> None:
    """What is JSON is reported in the provider's words; what is not is refused with its beginning or its title."""
    body = recorded["body"].encode()
    try:
        expected = json.loads(body)
    except ValueError:
        with pytest.raises(PayloadRefused, match="expected JSON"):
            decode(body)
        return
    texts: list[str] = []
    level = [expected]
    while level:
        value = level.pop()
        texts += [value] if isinstance(value, str) else []
        level += value.values() if isinstance(value, dict) else []
    for one in configuration().connectors:
        if one.source_id == recorded["provider"]:
            said = Mapping(connector(one.connector_id), SymbolTable()).provider_error(decode(body))
            assert said is not None
            assert any(" ".join(text.split())[:150] in said for text in texts if text != "Error")


def test_a_recorded_missing_parameter_is_reported() -> None:
    """An object where a list of coins is expected."""
    for path in FOLDER.glob("coingecko_error_*.json"):
        mapping = Mapping(connector("coingecko_top"), SymbolTable())
        document = decode(path.read_bytes())
        assert mapping.provider_error(document) == f"the provider reports an error: {plain(path)['error']}"
        with pytest.raises(PayloadRefused, match="expected a list at `@`, the provider sent an object"):
            mapping.elements(document)
