"""Binance's order book as a function of time: any moment's book, and what changed between two, without a history.

Levels lie around the quote of the ticker at prices that are drawn once and for all; what lies at a price stays for some
seconds, each price at its own turn. So a book is known from the pair and the moment alone, one snapshot resembles the
next, and the changes on the way from one to another are few and exact: the updates of a stream and the snapshots of the
REST side are the same book. Small pairs have short and unequal sides; a halted pair has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import exp

from etl_actors.sandbox.binance_rows import best_lots
from etl_actors.sandbox.chance import mix, normal
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.pairs import Pair

NOTHING = "0.00000000"
BID, ASK = -1, 1
_DEEPEST = 10_600  # prices a side may span; about half of them hold a level
_STAYS_TICKS = 50
_UPDATES_A_MOVE = 7


class Book:
    """The book of ``pair`` at a tick; ``update`` is the id of the last change that made it."""

    def __init__(self, market: Market, pair: Pair, tick: int, *, base: int) -> None:
        self.pair = pair
        quote = market.quote(pair, tick)
        self.tick = quote.tick
        self._best = {BID: quote.bid, ASK: quote.ask}
        self._best_lots = dict(zip((BID, ASK), best_lots(pair, quote.tick), strict=True))
        moves = (quote.tick - pair.phase) // pair.pace
        self.update = base + mix(pair.key, 61) % 80_000_000_000 + (moves + 1) * _UPDATES_A_MOVE
        self._depth = {side: _depth(pair, side) for side in (BID, ASK)}
        self._digits = 5 if pair.base.price > 1 else 0
        self._typical = 1 + pair.base.volume * 1e-6 / pair.base.price

    def levels(self, side: int) -> Iterator[str | None]:
        """The levels of a side as JSON, best first; None for a price that holds none, so that others can be let in."""
        if self.pair.traded:
            for price in range(self._best[side], self._best[side] + side * self._depth[side], side):
                lot = self._lot(side, price)
                yield None if lot is None else self._level(price, lot)

    def changes(self, way: Sequence[Book], side: int) -> list[str]:
        """The levels of a side that any step on the ``way`` here touched, as JSON, with what lies there now.

        The way is told earliest first. Where nothing lies any more the quantity is zero; so it is for a level that came
        and went, since whoever took his snapshot in between has it in his book.
        """
        touched: set[int] = set()
        for before, after in pairwise([*way, self]):
            suspects = after._suspects(before, side)
            touched.update(price for price in suspects if after._lot(side, price) != before._lot(side, price))
        return [
            self._level(price, self._lot(side, price) or NOTHING)
            for price in sorted(touched, key=lambda price: price * side)
        ]

    def _suspects(self, before: Book, side: int) -> set[int]:
        """Every price whose level may differ: those the ends of the side moved over, and those whose turn came."""
        depth = self._depth[side]
        new, old = self._best[side], before._best[side]
        first, last = min(new, old), max(new, old)
        start, end = (first, last + depth) if side == ASK else (first - depth, last)
        if self.tick - before.tick >= _STAYS_TICKS or last - first > depth:
            return set(range(max(start, 1), end + 1))
        ends = [*range(first, last + 1), *range(first + side * depth, last + side * depth + 1)]
        suspects = {price for price in ends if price > 0}
        for tick in range(before.tick + 1, self.tick + 1):
            # The turn of a price comes when tick and price together are a whole number of stays.
            suspects.update(range(max(start, 1) + -(max(start, 1) + tick) % _STAYS_TICKS, end + 1, _STAYS_TICKS))
        return suspects

    def _lot(self, side: int, price: int) -> str | None:
        """What lies at a price, as text."""
        if price == self._best[side]:
            return f"{self._best_lots[side]:.8f}"
        beyond = (price - self._best[side]) * side
        # Drawn by its high bits: the low ones of a product are the least stirred.
        if not 0 < beyond < self._depth[side] or price <= 0 or mix(self.pair.key, price) >> 63:
            return None
        stirred = normal(self.pair.key + (self.tick + price) // _STAYS_TICKS, price)
        lot = max(10.0**-self._digits, round(self._typical * exp(stirred - 0.5), self._digits))
        return f"{lot:.8f}"

    def _level(self, price: int, lot: str) -> str:
        return f'["{price / 10**self.pair.decimals:.8f}","{lot}"]'


def _depth(pair: Pair, side: int) -> int:
    if pair.pace == 1:
        return _DEEPEST
    return 2 * (40 + mix(pair.key, 62 if side == BID else 63) % (4000 // pair.pace))
