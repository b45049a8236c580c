"""The market all providers look at: every asset's walk, what a pair is quoted at, and its last day.

One dollar price per asset feeds everything, so BTCUSDT, ETHBTC, CoinGecko's bitcoin and CryptoCompare's BTC agree
as closely as real venues do. Nothing here keeps a history: any moment is computed when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, exp, floor, log
from operator import sub

from etl_actors.sandbox.assets import Asset, exchange_only, named_coins
from etl_actors.sandbox.chance import mix
from etl_actors.sandbox.made_up import made_up_coins
from etl_actors.sandbox.pairs import Pair, list_pairs
from etl_actors.sandbox.walk import DAY_TICKS, Walk, grid_span

_LISTED_COINS = 420


@dataclass(frozen=True, slots=True)
class Quote:
    """Prices in units of the pair's last decimal: whole numbers, so that bid < ask is exact."""

    tick: int
    bid: int
    ask: int
    last: int


@dataclass(frozen=True, slots=True)
class Window:
    """Opening, highest and lowest price over a stretch of time, and the price at its end."""

    open: float
    high: float
    low: float
    close: float


class Market:
    """``assets`` by symbol, ``pairs`` by symbol in listing order, ``coins`` as a list of coins shows them."""

    def __init__(self, pairs: int, seed: int) -> None:
        named = named_coins()
        self.assets: dict[str, Asset] = {}
        for asset in named + exchange_only():
            self.assets.setdefault(asset.symbol, asset)  # of two with one symbol the first is the one traded
        more = made_up_coins(set(self.assets))
        shown = [next(more) for _ in range(_LISTED_COINS - len(named))]
        self.coins = named + shown
        self.pairs = {pair.symbol: pair for pair in list_pairs(pairs, seed, self.assets, _chain(shown, more))}
        self.assets.update({asset.symbol: asset for asset in shown})
        self._seed = seed
        self._walks: dict[str, Walk] = {}
        self._extremes: dict[str, tuple[tuple[int, int], float, float]] = {}

    def dollars(self, asset: Asset, tick: int) -> float:
        """What one unit costs in US dollars."""
        return exp(self._log(asset, tick))

    def window(self, asset: Asset, quote: Asset | None, since: int, until: int) -> Window:
        """An asset's price in another (or in dollars) between two ticks."""
        points, first = self._path(asset, since, until)
        last = self._log(asset, until)
        if quote is not None:
            others, other_first = self._path(quote, since, until)
            points, first = list(map(sub, points, others)), first - other_first
            last -= self._log(quote, until)
        return Window(exp(first), exp(max(first, last, *points)), exp(min(first, last, *points)), exp(last))

    def quote(self, pair: Pair, tick: int) -> Quote:
        """The best bid and ask of a pair and its last price, as of its latest change."""
        tick -= (tick - pair.phase) % pair.pace
        price = exp(self._log(pair.base, tick) - self._log(pair.quote, tick))
        bid = max(1, int(price * 10**pair.decimals))
        return Quote(tick, bid, bid + 1, bid + (mix(pair.key, tick) & 1))

    def day(self, pair: Pair, quote: Quote) -> tuple[int, int, int]:
        """Open, high and low of the 24 hours before a quote, in the same whole units."""
        since = quote.tick - DAY_TICKS
        base, counter = self._walk(pair.base), self._walk(pair.quote)
        shift = self._shift(pair.base) - self._shift(pair.quote)
        span = grid_span(since, quote.tick)
        known = self._extremes.get(pair.symbol)
        if known is None or known[0] != span:
            between = list(map(sub, base.points(span), counter.points(span)))
            known = (span, exp(max(between) + shift), exp(min(between) + shift))
            self._extremes[pair.symbol] = known
        units = 10**pair.decimals
        opened = max(1, round(exp(base.roughly_at(since) - counter.roughly_at(since) + shift) * units))
        high = max(opened, quote.ask, ceil(known[1] * units))
        low = max(1, min(opened, quote.bid, floor(known[2] * units)))
        return opened, high, low

    def _path(self, asset: Asset, since: int, until: int) -> tuple[list[float], float]:
        walk, shift = self._walk(asset), self._shift(asset)
        points = [value + shift for value in walk.points(grid_span(since, until))]
        return points, walk.roughly_at(since) + shift

    def _log(self, asset: Asset, tick: int) -> float:
        return self._walk(asset).at(tick) + self._shift(asset)

    def _shift(self, asset: Asset) -> float:
        return log(asset.price / self.assets[asset.follows].price) if asset.follows else 0.0

    def _walk(self, asset: Asset) -> Walk:
        leader = self.assets[asset.follows] if asset.follows else asset
        walk = self._walks.get(leader.symbol)
        if walk is None:
            walk = Walk(self._seed, leader.symbol, leader.price, leader.volatility)
            self._walks[leader.symbol] = walk
        return walk


def _chain(shown: list[Asset], more: Iterator[Asset]) -> Iterator[Asset]:
    yield from shown
    yield from more
