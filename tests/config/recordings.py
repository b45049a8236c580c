"""Plain readings of the recorded answers, independent of the mappings, and what items must say about them.

The recordings lie outside the repository; ``ETL_RECORDED_PAYLOADS`` names their folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from etl_actors.messages import Item

FOLDER = Path(os.environ.get("ETL_RECORDED_PAYLOADS", ""))
needs_recordings = pytest.mark.skipif(
    not os.environ.get("ETL_RECORDED_PAYLOADS"), reason="ETL_RECORDED_PAYLOADS names no folder of recordings"
)

Pairs = dict[str, tuple[str, str]]


def found(*patterns: str) -> list[Path]:
    """The recordings of these patterns."""
    return sorted(path for pattern in patterns for path in FOLDER.glob(pattern)) if str(FOLDER) != "." else []


def recordings(*patterns: str) -> list[Any]:
    """One parameter for each recording there is."""
    return [pytest.param(path, id=path.stem) for path in found(*patterns)]


def plain(path: Path) -> Any:
    """The recording, numbers exact."""
    return json.loads(path.read_bytes(), parse_float=Decimal)


def recorded_pairs() -> Pairs:
    """What the recorded exchangeInfo says every pair is made of."""
    pairs: Pairs = {}
    for path in found("binance_exchangeinfo_*.json"):
        for row in plain(path)["symbols"]:
            pairs[row["symbol"]] = (row["baseAsset"], row["quoteAsset"])
    return pairs


def assert_number(said: str | None, expected: Any) -> None:
    """The same value with the same number of decimals, or null where there is none."""
    if expected is None or expected == "":
        assert said is None
    else:
        assert said is not None
        assert "e" not in said.lower()
        # Decimal compares values; the texts of plain numbers must be the same, too.
        assert Decimal(said) == Decimal(str(expected))
        if "e" not in str(expected).lower():
            assert said == str(expected)


def extra_of(item: Item) -> dict[str, Any]:
    """The further fields of an item."""
    return dict(json.loads(item.extra or "{}", parse_float=Decimal))


def check_24hr(items: Sequence[Item], rows: Any, pairs: Pairs) -> None:
    """Every live row is an item, every dead row is left out."""
    live = [row for row in rows if Decimal(row["lastPrice"]) != 0 or row["count"] != 0]
    for row, item in zip(live, items, strict=True):
        base, quote = pairs.get(row["symbol"], (None, None))
        assert (item.coin_symbol, item.quote_symbol, item.coin_name) == (base, quote, None)
        assert_number(item.price, row["lastPrice"])
        assert_number(item.volume_24h, row["quoteVolume"])
        assert_number(item.price_change_24h, row["priceChangePercent"])
        assert (item.market_cap, item.market_cap_rank) == (None, None)
        assert extra_of(item) == {
            "pair": row["symbol"],
            "high_24h": row["highPrice"],
            "low_24h": row["lowPrice"],
            "volume_base_24h": row["volume"],
        }


def prices_of(rows: Any) -> list[dict[str, str]]:
    """The price list of the same day, made of the tickers."""
    return [{"symbol": row["symbol"], "price": row["lastPrice"]} for row in rows]


def check_prices(items: Sequence[Item], rows: Any, pairs: Pairs) -> None:
    """Every pair with a price."""
    live = [row for row in rows if Decimal(row["price"]) != 0]
    for row, item in zip(live, items, strict=True):
        assert (item.coin_symbol, item.quote_symbol) == pairs.get(row["symbol"], (None, None))
        assert (item.price, extra_of(item)) == (row["price"], {"pair": row["symbol"]})


def check_order_book(items: Sequence[Item], book: Any, pair: str, assets: tuple[str | None, str | None]) -> None:
    """The middle of the best prices, under the pair that was asked for."""
    (item,) = items
    (bid, bid_quantity, *_), (ask, ask_quantity, *_) = book["bids"][0], book["asks"][0]
    assert (item.coin_symbol, item.quote_symbol) == assets
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


def check_top_coins(items: Sequence[Item], rows: Any) -> None:
    """Every coin, also those that share a symbol."""
    for row, item in zip(rows, items, strict=True):
        assert (item.coin_name, item.coin_symbol, item.quote_symbol) == (row["name"], row["symbol"].upper(), "USD")
        assert_number(item.price, row["current_price"])
        assert_number(item.market_cap, row["market_cap"])
        assert_number(item.volume_24h, row["total_volume"])
        assert_number(item.price_change_24h, row["price_change_percentage_24h"])
        assert item.market_cap_rank == row["market_cap_rank"]
        extra = extra_of(item)
        assert extra["id"] == row["id"]
        assert extra.get("max_supply") == row["max_supply"]


def check_trending(items: Sequence[Item], document: Any) -> None:
    """Every coin of the list, with its amounts in dollars."""
    for coin, item in zip(document["coins"], items, strict=True):
        row, data = coin["item"], coin["item"].get("data", {})
        assert (item.coin_name, item.coin_symbol, item.quote_symbol) == (row["name"], row["symbol"], "USD")
        if "<" not in str(data.get("price")):
            assert_number(item.price, _dollars(data.get("price")))
        assert_number(item.market_cap, _dollars(data.get("market_cap")))
        assert_number(item.volume_24h, _dollars(data.get("total_volume")))
        assert_number(item.price_change_24h, data.get("price_change_percentage_24h", {}).get("usd"))
        assert item.market_cap_rank == row["market_cap_rank"]
        assert extra_of(item) == {"id": row["id"], "price_btc": row["price_btc"], "score": row["score"]}


def check_multi(items: Sequence[Item], document: Any) -> None:
    """Every coin in every currency."""
    expected = [(coin, code, raw) for coin, codes in document["RAW"].items() for code, raw in codes.items()]
    for (coin, code, raw), item in zip(expected, items, strict=True):
        assert (item.coin_symbol, item.quote_symbol, item.coin_name) == (coin, code, None)
        _check_market(item, raw, "VOLUME24HOURTO")


def check_top_list(items: Sequence[Item], document: Any) -> None:
    """Every coin, ranked by its place."""
    for rank, (row, item) in enumerate(zip(document["Data"], items, strict=True), start=1):
        assert (item.coin_symbol, item.coin_name) == (row["CoinInfo"]["Name"], row["CoinInfo"]["FullName"])
        assert item.market_cap_rank == rank
        for code, raw in row.get("RAW", {}).items():
            assert item.quote_symbol == code
            _check_market(item, raw, "TOTALVOLUME24HTO")


def _dollars(text: Any) -> Any:
    return text.replace("$", "").replace(",", "") if isinstance(text, str) else text


def _check_market(item: Item, raw: dict[str, Any], volume: str) -> None:
    assert_number(item.price, raw["PRICE"])
    assert_number(item.market_cap, raw["MKTCAP"] or None)
    assert_number(item.volume_24h, raw[volume])
    assert_number(item.price_change_24h, raw["CHANGEPCT24HOUR"])
    extra = extra_of(item)
    assert (extra["high_24h"], extra["low_24h"]) == (raw["HIGH24HOUR"], raw["LOW24HOUR"])
