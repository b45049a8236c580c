"""Coinbase's and Kraken's feeds have the providers' shapes, acknowledgements and refusals."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from etl_actors.sandbox import Sandbox

from .listening import COINBASE_FEED, KRAKEN_FEED, Listener, listening

TICKER = [
    "type", "sequence", "product_id", "price", "open_24h", "volume_24h", "low_24h", "high_24h", "volume_30d",
    "best_bid", "best_ask", "side", "time", "trade_id", "last_size",
]  # fmt: skip


async def until(socket: Listener, kind: str) -> Any:
    """The next Coinbase message of a type."""
    while (message := await socket.next())["type"] != kind:
        pass
    return message


async def test_coinbase_acknowledges_and_sends_tickers_and_heartbeats(sandbox: Sandbox) -> None:
    """The newest ticker at once, then one a trade; numbers as strings; the sequence rises, and leaps."""
    async with listening(sandbox, COINBASE_FEED) as socket:
        await socket.say({"type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["ticker", "heartbeat"]})
        assert await socket.next() == {
            "type": "subscriptions",
            "channels": [
                {"name": "ticker", "product_ids": ["BTC-USD"]},
                {"name": "heartbeat", "product_ids": ["BTC-USD"]},
            ],
        }
        first, second = await socket.several(2)
        heartbeat = await until(socket, "heartbeat")
    assert list(first) == list(second) == TICKER
    assert all(isinstance(first[name], str) for name in set(TICKER) - {"sequence", "trade_id"})
    assert second["sequence"] > first["sequence"] + 1
    assert Decimal(first["low_24h"]) <= Decimal(first["price"]) <= Decimal(first["high_24h"])
    assert list(heartbeat) == ["type", "sequence", "last_trade_id", "product_id", "time"]
    dollars = sandbox.market.dollars(sandbox.market.assets["BTC"], sandbox.clock.tick())
    assert abs(float(first["price"]) / dollars - 1) < 0.01


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"type": "subscribe", "product_ids": ["NOPE-USD"], "channels": ["ticker"]}, "NOPE-USD is not a valid product"),
        ({"type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["gossip"]}, "gossip is not a valid channel"),
        ({"type": "subscribe", "channels": ["ticker"]}, "product_ids cannot be empty"),
        ({"type": "subscribe", "product_ids": ["BTC-USD"]}, "channels cannot be empty"),
    ],
)
async def test_coinbase_refuses_with_a_reason(sandbox: Sandbox, message: object, reason: str) -> None:
    """An error, and the socket stays."""
    async with listening(sandbox, COINBASE_FEED) as socket:
        await socket.say(message)
        assert await socket.next() == {"type": "error", "message": "Failed to subscribe", "reason": reason}
        await socket.say("{")
        assert (await socket.next())["type"] == "error"
        channel = {"name": "ticker_batch", "product_ids": ["ETH-BTC"]}
        await socket.say({"type": "subscribe", "channels": [channel]})
        assert (await socket.next())["channels"] == [channel]
        await socket.say({"type": "unsubscribe", "channels": ["ticker_batch"]})
        assert (await socket.next())["channels"] == []


async def test_kraken_tells_its_state_and_an_id_beyond_63_bits(sandbox: Sandbox) -> None:
    """On connecting, before a word was said."""
    async with listening(sandbox, KRAKEN_FEED, "/v2") as socket:
        status = await socket.next()
    assert (status["channel"], status["data"][0]["system"], status["data"][0]["api_version"]) == (
        "status",
        "online",
        "v2",
    )
    assert 2**63 <= status["data"][0]["connection_id"] < 2**64


async def test_kraken_acknowledges_or_refuses_each_symbol(sandbox: Sandbox) -> None:
    """With the request's id; then a snapshot and updates whose numbers are JSON numbers."""
    async with listening(sandbox, KRAKEN_FEED, "/v2") as socket:
        params = {"channel": "ticker", "symbol": ["BTC/USD", "NOPE/USD"], "snapshot": True}
        await socket.say({"method": "subscribe", "params": params, "req_id": 1})
        _, accepted = await socket.several(2)
        snapshot = await socket.text()
        refused, update = await socket.several(2)
    assert accepted["result"] == {"channel": "ticker", "symbol": "BTC/USD", "snapshot": True}
    assert (accepted["success"], accepted["req_id"]) == (True, 1)
    assert (refused["success"], refused["symbol"], refused["req_id"]) == (False, "NOPE/USD", 1)
    assert "error" in refused
    ticker = json.loads(snapshot, parse_float=Decimal)
    assert (ticker["channel"], ticker["type"], update["type"]) == ("ticker", "snapshot", "update")
    assert list(ticker["data"][0]) == [
        "symbol", "bid", "bid_qty", "ask", "ask_qty", "last", "volume", "vwap", "low", "high", "change", "change_pct",
        "timestamp",
    ]  # fmt: skip
    assert all(isinstance(ticker["data"][0][name], Decimal) for name in list(ticker["data"][0])[1:-1])


async def test_kraken_beats_when_it_has_nothing_to_say_and_answers_pings(sandbox: Sandbox) -> None:
    """A heartbeat a second of silence; a pong with the id of its ping."""
    async with listening(sandbox, KRAKEN_FEED, "/v2") as socket:
        params = {"channel": "ticker", "symbol": ["BONK/USD"], "snapshot": False}
        await socket.say({"method": "subscribe", "params": params})
        await socket.say({"method": "ping", "req_id": 101})
        _, _, pong = await socket.several(3)
        assert (pong["method"], pong["req_id"]) == ("pong", 101)
        frames = await socket.several(2)
        await socket.say({"method": "unsubscribe", "params": params})
        while "success" not in (ended := await socket.next()):
            pass
    assert {frame["channel"] for frame in frames} <= {"ticker", "heartbeat"}
    assert ended["success"] is True


@pytest.mark.parametrize("message", ["{", "[]", '{"method":"sing"}', '{"method":"subscribe","params":{"channel":"x"}}'])
async def test_kraken_survives_nonsense(sandbox: Sandbox, message: str) -> None:
    """An error, and the socket stays."""
    async with listening(sandbox, KRAKEN_FEED, "/v2") as socket:
        await socket.next()
        await socket.say(message)
        assert (await socket.next())["success"] is False
