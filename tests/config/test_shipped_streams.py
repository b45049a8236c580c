"""The shipped streams against frames in their providers' true shapes, and against recorded ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from etl_actors.settings.streams import messages_of
from etl_actors.transforms.frames import FrameRules
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.symbols import EMPTY, SymbolTable, shipped_snapshot

from . import recordings as recorded
from .recordings import recordings
from .shipped import Mapped, configuration, connector

STREAMS = {
    "binance_trades": "Binance - Trades",
    "binance_mini_tickers": "Binance - Mini Tickers",
    "coinbase_ticker": "Coinbase - Ticker",
    "kraken_ticker": "Kraken - Ticker",
}
PAIRS = SymbolTable({"BTCUSDT": ("BTC", "USDT"), "ETHBTC": ("ETH", "BTC")})

TRADE = (
    '{"stream":"btcusdt@trade","data":{"e":"trade","E":1672515782136,"s":"BTCUSDT","t":12345,"p":"0.00100000",'
    '"q":"100","T":1672515782136,"m":true,"M":true}}'
)
MINI = (
    '[{"e":"24hrMiniTicker","E":1,"s":"ETHBTC","c":"0.0025","o":"0.0010","h":"0.0026","l":"0.0009","v":"10000",'
    '"q":"18"},{"e":"24hrMiniTicker","E":1,"s":"BTCUSDT","c":"95000.50","o":"1","h":"2","l":"3","v":"4","q":"5"}]'
)
COINBASE = (
    '{"type":"ticker","sequence":38332655422,"product_id":"BTC-USD","price":"29940.91","open_24h":"31677.61",'
    '"volume_24h":"27783.70216674","low_24h":"29308.01","high_24h":"31888","best_bid":"29940.90",'
    '"best_ask":"29940.91","side":"buy","time":"2022-06-02T09:20:54.127011Z","trade_id":347875517}'
)
KRAKEN = (
    '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":105944.2,"bid_qty":2.5,"ask":105944.3,'
    '"ask_qty":3.2,"last":105899.40,"volume":163.28908096,"vwap":105904.39279,"low":104711.0,"high":106613.1,'
    '"change":250.0,"change_pct":0.24,"timestamp":"2026-01-01T00:00:00.000000Z"}]}'
)


def rules(connector_id: str) -> FrameRules:
    return Mapping(connector(connector_id), EMPTY).frames


def first(connector_id: str, frame: str) -> dict[str, Any]:
    """The first item of a frame, as what is said of it."""
    found = Mapped(connector_id, frame.encode(), PAIRS)
    assert not found.refused
    item = found.kept[0]
    extra = json.loads(item.extra or "{}", parse_float=str)
    return {name: value for name in item.__struct_fields__ if (value := getattr(item, name))} | {"extra": extra}


def test_the_streams_are_there_and_off() -> None:
    """Each has a name, and nothing follows them before somebody says so."""
    found = [one for one in configuration().connectors if one.kind == "websocket"]
    assert {one.connector_id: one.connector_name for one in found} == STREAMS
    assert not any(one.enabled for one in found)
    assert all(one.url.startswith("wss://") for one in found)


@pytest.mark.parametrize(
    ("connector_id", "frame", "item"),
    [
        ("binance_trades", TRADE, {"coin_symbol": "BTC", "quote_symbol": "USDT", "price": "0.00100000"}),
        (
            "binance_mini_tickers",
            MINI,
            {"coin_symbol": "ETH", "quote_symbol": "BTC", "price": "0.0025", "volume_24h": "18"},
        ),
        ("coinbase_ticker", COINBASE, {"coin_symbol": "BTC", "quote_symbol": "USD", "price": "29940.91"}),
        (
            "kraken_ticker",
            KRAKEN,
            {"coin_symbol": "BTC", "quote_symbol": "USD", "price": "105899.40", "price_change_24h": "0.24"},
        ),
    ],
)
def test_a_frame_becomes_items(connector_id: str, frame: str, item: dict[str, str]) -> None:
    """Every digit is kept, pairs are split, and the frame has a type."""
    said = first(connector_id, frame)
    assert said["extra"]
    assert {name: value for name, value in said.items() if name != "extra"} == item
    assert not rules(connector_id).ignored(json.loads(frame))
    assert rules(connector_id).message_type(json.loads(frame))


@pytest.mark.parametrize(
    ("connector_id", "step", "frame"),
    [
        ("binance_trades", 0, {"result": None, "id": 1}),
        ("coinbase_ticker", 0, {"type": "subscriptions", "channels": []}),
        ("kraken_ticker", 0, {"channel": "status", "type": "update", "data": [{"system": "online"}]}),
        ("kraken_ticker", 1, {"method": "subscribe", "success": True, "result": {}}),
    ],
)
def test_an_acknowledgement_is_known(connector_id: str, step: int, frame: dict[str, Any]) -> None:
    """It is what the handshake waits for, and no data."""
    assert rules(connector_id).answers(step, frame)
    assert rules(connector_id).ignored(frame)


@pytest.mark.parametrize(
    ("connector_id", "frame", "words"),
    [
        ("binance_trades", {"code": 2, "msg": "Invalid request: x", "id": 1}, "Invalid request: x (code 2)"),
        ("binance_trades", {"error": {"code": 3, "msg": "Invalid JSON"}, "id": 1}, "Invalid JSON (code 3)"),
        ("coinbase_ticker", {"type": "error", "message": "Failed", "reason": "x"}, "Failed"),
        ("kraken_ticker", {"method": "subscribe", "success": False, "error": "Currency pair"}, "Currency pair"),
    ],
)
def test_a_refusal_is_known(connector_id: str, frame: dict[str, Any], words: str) -> None:
    """It is no acknowledgement, and told in the provider's words."""
    assert not any(rules(connector_id).answers(n, frame) for n in range(len(connector(connector_id).handshake)))
    said = Mapping(connector(connector_id), EMPTY).provider_error(frame)
    assert said == f"the provider reports an error: {words}"


def test_a_goodbye_of_binance_is_known() -> None:
    """In each of its forms."""
    for frame in (
        {"e": "serverShutdown", "E": 1770123456789},
        {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}},
    ):
        assert rules("binance_trades").says_goodbye(frame)
    assert rules("binance_mini_tickers").says_goodbye({"e": "serverShutdown"})
    assert not rules("binance_trades").says_goodbye(json.loads(TRADE))


def test_what_is_said_first_is_what_the_providers_document() -> None:
    """As JSON, in one message each."""
    said = {
        name: [json.loads(text) for step in connector(name).handshake for text in messages_of(step)] for name in STREAMS
    }
    assert said["binance_trades"][0]["method"] == "SUBSCRIBE"
    assert all(name == name.lower() for name in said["binance_trades"][0]["params"])
    assert said["coinbase_ticker"][0]["type"] == "subscribe"
    assert said["kraken_ticker"][0]["params"]["channel"] == "ticker"
    assert said["binance_mini_tickers"] == []


def frames_of(path: Path) -> list[dict[str, Any]]:
    """The frames of a recording, plainly read."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    if lines and isinstance(lines[0], dict) and "dir" in lines[0]:
        return [json.loads(line["data"]) for line in lines if line["dir"] == "recv"]
    return lines


@recorded.needs_recordings
@pytest.mark.parametrize("path", recordings("coinbase_exchange_ws_*.jsonl"))
def test_recorded_tickers_of_coinbase(path: Path) -> None:
    """Every ticker is an item, and nothing else is data."""
    known = rules("coinbase_ticker")
    for frame in frames_of(path):
        assert known.ignored(frame) == (frame["type"] != "ticker")
        if frame["type"] == "ticker":
            said = first("coinbase_ticker", json.dumps(frame))
            assert (said["price"], f"{said['coin_symbol']}-{said['quote_symbol']}") == (
                frame["price"],
                frame["product_id"],
            )


@recorded.needs_recordings
@pytest.mark.parametrize("path", recordings("binance_ws_raw_miniTicker_arr_*.jsonl"))
def test_recorded_mini_tickers(path: Path) -> None:
    """Every element of the list is an item."""
    for frame in frames_of(path):
        found = Mapped("binance_mini_tickers", json.dumps(frame).encode(), SymbolTable(shipped_snapshot("binance")))
        assert not found.refused
        assert [item.price for item in found.kept] == [row["c"] for row in frame]


@recorded.needs_recordings
@pytest.mark.parametrize("path", recordings("binance_ws_misc_*.jsonl"))
def test_recorded_frames_of_binance(path: Path) -> None:
    """Acknowledgements are told from data, and trades become items."""
    known = rules("binance_trades")
    for frame in frames_of(path):
        assert known.ignored(frame) == ("data" not in frame)
        if frame.get("data", {}).get("e") == "trade":
            assert first("binance_trades", json.dumps(frame))["price"] == frame["data"]["p"]


@recorded.needs_recordings
@pytest.mark.parametrize("path", recordings("kraken_ws_v2_ticker_*.jsonl"))
def test_recorded_tickers_of_kraken(path: Path) -> None:
    """Only what the ticker channel says is data."""
    known = rules("kraken_ticker")
    for frame in frames_of(path):
        assert known.ignored(frame) == (frame.get("channel") != "ticker")
