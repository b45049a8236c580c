"""Every recorded answer goes through its shipped mapping and is compared with a plain reading of the recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from etl_actors.errors import PayloadRefused
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.symbols import SymbolTable, read_symbols, shipped_snapshot

from . import recordings as recorded
from .recordings import FOLDER, Pairs, plain, recordings
from .shipped import Mapped, configuration, connector, decode

pytestmark = recorded.needs_recordings


@pytest.fixture(name="pairs")
def _pairs() -> Pairs:
    return recorded.recorded_pairs()


@pytest.mark.parametrize("path", recordings("binance_exchangeinfo_*.json"))
def test_recorded_pairs_are_read_and_in_the_snapshot(path: Path, pairs: Pairs) -> None:
    """The source's list is read whole, and the shipped snapshot agrees wherever it knows a pair."""
    expected = {row["symbol"]: (row["baseAsset"], row["quoteAsset"]) for row in plain(path)["symbols"]}
    assert read_symbols(decode(path.read_bytes()), configuration().symbols["binance"]) == expected
    shipped = shipped_snapshot("binance")
    assert {pair: shipped[pair] for pair in expected if pair in shipped} == {
        pair: assets for pair, assets in expected.items() if pair in shipped
    }


@pytest.mark.parametrize("path", recordings("binance_ticker24hr_*.json"))
def test_recorded_24hr_tickers(path: Path, pairs: Pairs) -> None:
    """Every live row is an item, every dead row is left out."""
    found = Mapped("binance_24hr", path.read_bytes(), SymbolTable(pairs))
    assert (found.refused, found.provider_error) == ({}, None)
    recorded.check_24hr(found.kept, plain(path), pairs)


@pytest.mark.parametrize("path", recordings("binance_ticker24hr_*.json"))
def test_recorded_prices(path: Path, pairs: Pairs) -> None:
    """The price list of the same day, made of the tickers."""
    rows = recorded.prices_of(plain(path))
    found = Mapped("binance_prices", json.dumps(rows).encode(), SymbolTable(pairs))
    assert not found.refused
    recorded.check_prices(found.kept, rows, pairs)


@pytest.mark.parametrize("path", recordings("binance_depth_*.json"))
def test_recorded_order_books(path: Path, pairs: Pairs) -> None:
    """The middle of the best prices, under the pair that was asked for."""
    pair = path.stem.split("_")[2]
    table = SymbolTable({**shipped_snapshot("binance"), **pairs})
    found = Mapped("binance_orderbook", path.read_bytes(), table, {"symbol": pair})
    recorded.check_order_book(found.kept, plain(path), pair, table.resolve(pair) or (None, None))


@pytest.mark.parametrize("path", recordings("coingecko_markets_*.json"))
def test_recorded_top_coins(path: Path) -> None:
    """Every coin, also those that share a symbol."""
    found = Mapped("coingecko_top", path.read_bytes(), SymbolTable())
    assert not found.refused
    recorded.check_top_coins(found.kept, plain(path))


@pytest.mark.parametrize("path", recordings("coingecko_trending_*.json"))
def test_recorded_trending_coins(path: Path) -> None:
    """Every coin of the list, with its amounts in dollars."""
    found = Mapped("coingecko_trending", path.read_bytes(), SymbolTable())
    assert not found.refused
    recorded.check_trending(found.kept, plain(path))


@pytest.mark.parametrize("path", recordings("coingecko_global_*.json"))
def test_recorded_global_figures(path: Path) -> None:
    """Decoded exactly, without items and without an error."""
    found = Mapped("coingecko_global", path.read_bytes(), SymbolTable())
    assert (found.provider_error, found.items) == (None, [])
    assert decode(path.read_bytes()) == plain(path)


@pytest.mark.parametrize("path", recordings("cryptocompare_pricemultifull_*.json"))
def test_recorded_multi_prices(path: Path) -> None:
    """Every coin in every currency."""
    found = Mapped("cryptocompare_multi", path.read_bytes(), SymbolTable())
    assert not found.refused
    recorded.check_multi(found.kept, plain(path))


@pytest.mark.parametrize("path", recordings("cryptocompare_mktcapfull_*.json", "cryptocompare_totalvolfull_*.json"))
def test_recorded_top_lists(path: Path) -> None:
    """Every coin, ranked by its place."""
    found = Mapped("cryptocompare_top", path.read_bytes(), SymbolTable())
    assert not found.refused
    recorded.check_top_list(found.kept, plain(path))


def recorded_errors() -> list[dict[str, Any]]:
    path = FOLDER / "errors_recorded.jsonl"
    if str(FOLDER) == "." or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


@pytest.mark.parametrize("error", recorded_errors(), ids=lambda one: f"{one['provider']}-{one['status']}")
def test_recorded_errors_are_never_taken_for_data(error: dict[str, Any]) -> None:
    """What is JSON is reported in the provider's words; what is not is refused with its beginning or its title."""
    body = error["body"].encode()
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
        if one.source_id == error["provider"]:
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
