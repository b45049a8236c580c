"""Coinbase Exchange's feed: tickers and heartbeats of products such as BTC-USD. There is no REST side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from etl_actors.sandbox.binance_rows import best_lots, last_trade_id, turnover
from etl_actors.sandbox.chance import mix
from etl_actors.sandbox.clock import TICKS_PER_SECOND, Clock
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.messages import Answer, Request
from etl_actors.sandbox.pairs import Pair
from etl_actors.sandbox.products import Products
from etl_actors.sandbox.streams import Rules
from etl_actors.sandbox.switches import Switches

_EVERY = {"ticker": 1, "ticker_batch": 5 * TICKS_PER_SECOND, "heartbeat": TICKS_PER_SECOND}
_MONTH = 28.3  # days of trade in the last thirty


class Coinbase:
    """The provider ``coinbase``."""

    name = "coinbase"
    origin = "https://ws-feed.exchange.coinbase.com"
    stream_origins = ("wss://ws-feed.exchange.coinbase.com", "wss://ws-feed.pro.coinbase.com")

    def __init__(self, market: Market, clock: Clock, switches: Switches) -> None:
        self.feed = CoinbaseFeed(market, clock, switches)

    async def answer(self, request: Request) -> Answer:
        """Whoever does not come for the socket is turned away."""
        return Answer.of('{"message":"NotFound"}', 404)


class CoinbaseFeed:
    """One address, one kind of session."""

    rules = Rules(messages_per_second=100, first_word_seconds=5.0)

    def __init__(self, market: Market, clock: Clock, switches: Switches) -> None:
        self._parts = market, clock, switches, Products(market, "coinbase", "-")

    def open(self, request: Request) -> CoinbaseSession | None:
        """A session without a subscription yet."""
        return CoinbaseSession(*self._parts) if request.path in ("", "/") else None


class CoinbaseSession:
    """One socket: which products are followed on which channel."""

    def __init__(self, market: Market, clock: Clock, switches: Switches, products: Products) -> None:
        self._market = market
        self._clock = clock
        self._switches = switches
        self._products = products
        self._channels: dict[str, dict[str, Pair]] = {}

    def greet(self, tick: int) -> Sequence[str]:
        """Nothing until something is subscribed."""
        return ()

    def announce_shutdown(self, tick: int) -> Sequence[str]:
        """Coinbase gives no notice."""
        return ()

    def hear(self, text: str, tick: int) -> Sequence[str]:
        """All subscriptions as they are then, and the newest ticker of what is new; or an error."""
        try:
            message = json.loads(text)
        except ValueError:
            return [_error("Malformed JSON", "")]
        if not isinstance(message, dict) or message.get("type") not in ("subscribe", "unsubscribe"):
            return [_error("Type has to be either subscribe or unsubscribe", "")]
        try:
            wanted = self._wanted(message)
        except ValueError as error:
            return [_error("Failed to subscribe", str(error))]
        if message["type"] == "unsubscribe":
            for channel, names in wanted.items():
                for name in names or tuple(self._channels.get(channel, ())):
                    self._channels.get(channel, {}).pop(name, None)
            return [self._subscriptions()]
        fresh = [
            pair for name, pair in wanted.get("ticker", {}).items() if name not in self._channels.get("ticker", {})
        ]
        for channel, pairs in wanted.items():
            self._channels.setdefault(channel, {}).update(pairs)
        return [self._subscriptions(), *(self._ticker(pair, tick) for pair in fresh)]

    async def due(self, since: int, tick: int) -> Sequence[str]:
        """A ticker for each product that was traded, a heartbeat for each a second."""
        found = []
        for channel, pairs in self._channels.items():
            start, end = since // _EVERY[channel] * _EVERY[channel], tick // _EVERY[channel] * _EVERY[channel]
            for pair in pairs.values() if start < end else ():
                if channel == "heartbeat":
                    found.append(self._heartbeat(pair, end))
                elif self._market.quote(pair, end).tick > start:
                    found.append(self._ticker(pair, end))
        return found

    def _wanted(self, message: dict[str, Any]) -> dict[str, dict[str, Pair]]:
        channels = message.get("channels")
        if not isinstance(channels, list) or not channels:
            raise ValueError("channels cannot be empty")
        wanted: dict[str, dict[str, Pair]] = {}
        for channel in channels:
            about = channel if isinstance(channel, dict) else {"name": channel}
            if about.get("name") not in _EVERY:
                raise ValueError(f"{about.get('name')} is not a valid channel")
            products = about.get("product_ids", message.get("product_ids", []))
            pairs = {name: self._product(name) for name in products}
            if not pairs and message["type"] == "subscribe":
                raise ValueError("product_ids cannot be empty")
            wanted.setdefault(about["name"], {}).update(pairs)
        return wanted

    def _product(self, name: Any) -> Pair:
        pair = self._products.find(name) if isinstance(name, str) else None
        if pair is None:
            raise ValueError(f"{name} is not a valid product")
        return pair

    def _subscriptions(self) -> str:
        channels = [{"name": name, "product_ids": list(pairs)} for name, pairs in self._channels.items() if pairs]
        return _dump({"type": "subscriptions", "channels": channels})

    def _sequence(self, pair: Pair, tick: int) -> int:
        # It counts every message about the product on any channel, so a follower of tickers sees it leap.
        return self._switches.sequence_base + mix(pair.key, 71) % 30_000_000_000 + tick * 13

    def _ticker(self, pair: Pair, tick: int) -> str:
        quote = self._market.quote(pair, tick)
        opened, high, low = self._market.day(pair, quote)
        units = 10**pair.decimals
        volume = turnover(pair, quote.tick) / (quote.last / units)

        def price(value: int) -> str:
            return f"{value / units:.{pair.decimals}f}"

        return _dump(
            {
                "type": "ticker",
                "sequence": self._sequence(pair, quote.tick),
                "product_id": pair.symbol,
                "price": price(quote.last),
                "open_24h": price(opened),
                "volume_24h": f"{volume:.8f}",
                "low_24h": price(low),
                "high_24h": price(high),
                "volume_30d": f"{volume * _MONTH:.8f}",
                "best_bid": price(quote.bid),
                "best_ask": price(quote.ask),
                "side": "sell" if quote.last == quote.bid else "buy",
                "time": self._time(quote.tick),
                "trade_id": last_trade_id(pair, quote.tick),
                "last_size": f"{min(best_lots(pair, quote.tick)):.8f}",
            }
        )

    def _heartbeat(self, pair: Pair, tick: int) -> str:
        return _dump(
            {
                "type": "heartbeat",
                "sequence": self._sequence(pair, tick),
                "last_trade_id": last_trade_id(pair, tick),
                "product_id": pair.symbol,
                "time": self._time(tick),
            }
        )

    def _time(self, tick: int) -> str:
        moment = datetime.fromtimestamp(self._clock.seconds_at(tick), UTC)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _error(message: str, reason: str) -> str:
    return _dump({"type": "error", "message": message} | ({"reason": reason} if reason else {}))


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
