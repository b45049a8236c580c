"""Kraken's WebSocket API v2: tickers of symbols such as BTC/USD, in JSON numbers. There is no REST side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from etl_actors.sandbox.binance_rows import best_lots, turnover
from etl_actors.sandbox.chance import mix
from etl_actors.sandbox.clock import TICKS_PER_SECOND, Clock
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.messages import Answer, Request
from etl_actors.sandbox.pairs import Pair
from etl_actors.sandbox.products import Products
from etl_actors.sandbox.streams import Rules
from etl_actors.sandbox.switches import Switches

_OLDEST_CONNECTION = 1 << 63  # ids of connections do not fit into a signed 64-bit number
_TRIGGERS = ("trades", "bbo")


class Kraken:
    """The provider ``kraken``."""

    name = "kraken"
    origin = "https://ws.kraken.com"
    stream_origins = ("wss://ws.kraken.com",)

    def __init__(self, market: Market, clock: Clock, switches: Switches) -> None:
        self.feed = KrakenFeed(market, clock)

    async def answer(self, request: Request) -> Answer:
        """Whoever does not come for the socket is turned away."""
        return Answer.of("", 404, "text/html")


class KrakenFeed:
    """One address, one kind of session."""

    rules = Rules()

    def __init__(self, market: Market, clock: Clock) -> None:
        self._parts = market, clock, Products(market, "kraken", "/")
        self._opened = 0

    def open(self, request: Request) -> KrakenSession | None:
        """A session without a subscription yet."""
        self._opened += 1
        connection_id = _OLDEST_CONNECTION + mix(self._opened, 81) // 4
        return KrakenSession(*self._parts, connection_id) if request.path == "/v2" else None


class KrakenSession:
    """One socket: which symbols are followed."""

    def __init__(self, market: Market, clock: Clock, products: Products, connection_id: int) -> None:
        self._market = market
        self._clock = clock
        self._products = products
        self._connection_id = connection_id
        self._pairs: dict[str, Pair] = {}
        self._last_said = 0

    def greet(self, tick: int) -> Sequence[str]:
        """The state of the system."""
        return [self._status("online")]

    def announce_shutdown(self, tick: int) -> Sequence[str]:
        """The system goes into maintenance."""
        return [self._status("maintenance")]

    def hear(self, text: str, tick: int) -> Sequence[str]:
        """An acknowledgement or a refusal for each symbol, then its snapshot; a pong for a ping."""
        try:
            message = json.loads(text)
        except ValueError:
            message = None
        method = message.get("method") if isinstance(message, dict) else None
        if method == "ping":
            return [self._reply(message, "pong", tick)]
        if method not in ("subscribe", "unsubscribe"):
            return [_dump({"error": "Unsupported event", "success": False, **self._times(tick)})]
        params = message.get("params")
        symbols = params.get("symbol") if isinstance(params, dict) else None
        if not isinstance(symbols, list) or not symbols or params.get("channel") != "ticker":
            return [self._reply(message, method, tick, error="Unsupported channel or no symbol", success=False)]
        if params.get("event_trigger", "trades") not in _TRIGGERS:
            return [self._reply(message, method, tick, error="Event trigger not supported", success=False)]
        replies: list[str] = []
        for symbol in symbols:
            replies += self._turn(message, params, method, symbol, tick)
        return replies

    async def due(self, since: int, tick: int) -> Sequence[str]:
        """An update for each symbol that was traded; a heartbeat when there was nothing for a second."""
        found = [
            self._ticker(pair, "update", tick)
            for pair in self._pairs.values()
            if self._market.quote(pair, tick).tick > since
        ]
        if found:
            self._last_said = tick
        elif self._pairs and tick - self._last_said >= TICKS_PER_SECOND:
            self._last_said = tick
            found = ['{"channel":"heartbeat"}']
        return found

    def _turn(self, message: dict[str, Any], params: dict[str, Any], method: str, symbol: Any, tick: int) -> list[str]:
        pair = self._products.find(symbol) if isinstance(symbol, str) else None
        if pair is None:
            why = f"Currency pair not supported {symbol}"
            return [self._reply(message, method, tick, error=why, success=False, symbol=symbol)]
        if method == "unsubscribe":
            self._pairs.pop(pair.symbol, None)
            result = {"channel": "ticker", "event_trigger": params.get("event_trigger", "trades"), "symbol": symbol}
            return [self._reply(message, method, tick, result=result, success=True)]
        if pair.symbol in self._pairs:
            return [self._reply(message, method, tick, error="Already subscribed", success=False, symbol=symbol)]
        self._pairs[pair.symbol] = pair
        self._last_said = tick
        snapshot = params.get("snapshot", True)
        result = {"channel": "ticker", "symbol": symbol, "snapshot": snapshot}
        acknowledged = self._reply(message, method, tick, result=result, success=True)
        return [acknowledged, self._ticker(pair, "snapshot", tick)] if snapshot else [acknowledged]

    def _status(self, system: str) -> str:
        about = {"system": system, "api_version": "v2", "connection_id": self._connection_id, "version": "2.0.10"}
        return _dump({"channel": "status", "type": "update", "data": [about]})

    def _reply(self, message: dict[str, Any], method: str, tick: int, **about: Any) -> str:
        request = {"req_id": message["req_id"]} if "req_id" in message else {}
        return _dump({"method": method, **about, **self._times(tick), **request})

    def _times(self, tick: int) -> dict[str, str]:
        return {"time_in": self._time(tick), "time_out": self._time(tick)}

    def _ticker(self, pair: Pair, kind: str, tick: int) -> str:
        quote = self._market.quote(pair, tick)
        opened, high, low = self._market.day(pair, quote)
        bid_lot, ask_lot = best_lots(pair, quote.tick)
        units = 10**pair.decimals
        average = (opened + high + low + quote.last) / 4 / units
        prices = {"bid": quote.bid, "ask": quote.ask, "last": quote.last, "low": low, "high": high}
        bid, ask, last, lowest, highest = (f"{value / units:.{pair.decimals}f}" for value in prices.values())
        return (
            f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{pair.symbol}","bid":{bid},"bid_qty":{bid_lot:.8f},'
            f'"ask":{ask},"ask_qty":{ask_lot:.8f},"last":{last},'
            f'"volume":{turnover(pair, quote.tick) / average:.8f},"vwap":{average:.{pair.decimals}f},'
            f'"low":{lowest},"high":{highest},"change":{(quote.last - opened) / units:.{pair.decimals}f},'
            f'"change_pct":{(quote.last / opened - 1) * 100:.2f},"timestamp":"{self._time(quote.tick)}"}}]}}'
        )

    def _time(self, tick: int) -> str:
        moment = datetime.fromtimestamp(self._clock.seconds_at(tick), UTC)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
