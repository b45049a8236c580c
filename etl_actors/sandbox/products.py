"""What Coinbase and Kraken trade: the market's coins against the US dollar, and against each other, as pairs of theirs.

A product is a pair like Binance's, with a name of its own and a walk of the same assets, so that the three exchanges
agree as closely as real ones do.
"""

from __future__ import annotations

from etl_actors.sandbox.assets import Asset
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.pairs import Pair, make_pair

_DOLLAR = Asset("USD", "us-dollar", "US Dollar", 1.0, 1e13, 1e10, 0.0)
_QUOTES = ("USD", "EUR", "GBP", "USDT", "USDC", "BTC", "ETH")
_LIVELY = ("BTC", "ETH", "SOL", "XRP")


class Products:
    """The products of one exchange, by their names: ``BTC-USD`` with the ``separator`` "-"."""

    def __init__(self, market: Market, exchange: str, separator: str) -> None:
        self._market = market
        self._exchange = exchange
        self._separator = separator
        self._known: dict[str, Pair | None] = {}

    def find(self, name: str) -> Pair | None:
        """The product of this name, or None."""
        if name not in self._known and len(self._known) < 10_000:
            self._known[name] = self._make(name)
        return self._known.get(name)

    def _make(self, name: str) -> Pair | None:
        left, separator, right = name.partition(self._separator)
        base, quote = self._market.assets.get(left), self._asset(right)
        if not separator or base is None or quote is None or left == right or right not in _QUOTES:
            return None
        pace = 2 if left in _LIVELY else 10
        return make_pair(name, base, quote, seed_of=f"{self._exchange} {name}", pace=pace)

    def _asset(self, symbol: str) -> Asset | None:
        return _DOLLAR if symbol == "USD" else self._market.assets.get(symbol)
