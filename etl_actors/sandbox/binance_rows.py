"""Binance's ticker rows: the price of a pair, its last day in full, its last day in short.

A row is text, kept until its pair moves again; most pairs move every few seconds, so a list of thousands costs little
more than the joining. Building goes in slices and lets others run between them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sin

from etl_actors.sandbox.chance import mix, share
from etl_actors.sandbox.clock import TICKS_PER_SECOND, Clock
from etl_actors.sandbox.market import Market, Quote
from etl_actors.sandbox.pairs import Pair
from etl_actors.sandbox.turns import Turns
from etl_actors.sandbox.walk import DAY_TICKS

_ZERO = "0.00000000"
_DAY_MILLISECONDS = 86_400_000
_DEAD_FIELDS = (
    "lastPrice", "lastQty", "bidPrice", "bidQty", "askPrice", "askQty", "openPrice", "highPrice", "lowPrice",
    "volume", "quoteVolume",
)  # fmt: skip
_DEAD_MINI_FIELDS = ("openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume")


class TickerRows:
    """Writes rows of the kinds "price", "FULL" and "MINI"."""

    def __init__(self, market: Market, clock: Clock) -> None:
        self._market = market
        self._clock = clock
        self._writers: dict[str, Callable[[Pair, Quote], str]] = {
            "price": _price_row,
            "FULL": self._full_row,
            "MINI": self._mini_row,
        }
        self._dead_writers = {"price": _price_row, "FULL": self._dead_row, "MINI": self._dead_mini_row}
        self._known: dict[str, dict[str, tuple[int, str]]] = {kind: {} for kind in self._writers}

    async def rows(self, kind: str, pairs: list[Pair], tick: int) -> bytes:
        """A JSON list of the rows of these pairs at this tick."""
        parts = []
        turns = Turns()
        for pair in pairs:
            parts.append(self.row(kind, pair, tick))
            await turns.offer()
        return f"[{','.join(parts)}]".encode()

    def row(self, kind: str, pair: Pair, tick: int) -> str:
        """One row as a JSON object."""
        moved = tick - (tick - pair.phase) % pair.pace if pair.traded else 0
        known = self._known[kind].get(pair.symbol)
        if known is None or known[0] != moved:
            quote = self._market.quote(pair, moved)
            writer = (self._writers if pair.traded else self._dead_writers)[kind]
            known = (moved, writer(pair, quote))
            self._known[kind][pair.symbol] = known
        return known[1]

    def _full_row(self, pair: Pair, quote: Quote) -> str:
        opened, high, low = self._market.day(pair, quote)
        units = 10**pair.decimals
        last, first = quote.last / units, opened / units
        average = (opened + high + low + quote.last) / 4 / units
        money = turnover(pair, quote.tick)
        shown = {name: f"{value / units:.8f}" for name, value in (("o", opened), ("h", high), ("l", low))}
        first_id, last_id = trade_ids(pair, quote.tick)
        closed = self._clock.milliseconds_at(quote.tick)
        bid_lot, ask_lot = best_lots(pair, quote.tick)
        return (
            f'{{"symbol":"{pair.symbol}","priceChange":"{last - first:.8f}",'
            f'"priceChangePercent":"{(last / first - 1) * 100:.3f}","weightedAvgPrice":"{average:.8f}",'
            f'"prevClosePrice":"{shown["o"]}","lastPrice":"{last:.8f}","lastQty":"{min(bid_lot, ask_lot):.8f}",'
            f'"bidPrice":"{quote.bid / units:.8f}","bidQty":"{bid_lot:.8f}",'
            f'"askPrice":"{quote.ask / units:.8f}","askQty":"{ask_lot:.8f}",'
            f'"openPrice":"{shown["o"]}","highPrice":"{shown["h"]}","lowPrice":"{shown["l"]}",'
            f'"volume":"{money / average:.8f}","quoteVolume":"{money:.8f}",'
            f'"openTime":{closed - _DAY_MILLISECONDS},"closeTime":{closed},'
            f'"firstId":{first_id},"lastId":{last_id},"count":{last_id - first_id + 1}}}'
        )

    def _mini_row(self, pair: Pair, quote: Quote) -> str:
        opened, high, low = self._market.day(pair, quote)
        units = 10**pair.decimals
        average = (opened + high + low + quote.last) / 4 / units
        money = turnover(pair, quote.tick)
        first_id, last_id = trade_ids(pair, quote.tick)
        closed = self._clock.milliseconds_at(quote.tick)
        return (
            f'{{"symbol":"{pair.symbol}","openPrice":"{opened / units:.8f}","highPrice":"{high / units:.8f}",'
            f'"lowPrice":"{low / units:.8f}","lastPrice":"{quote.last / units:.8f}",'
            f'"volume":"{money / average:.8f}","quoteVolume":"{money:.8f}",'
            f'"openTime":{closed - _DAY_MILLISECONDS},"closeTime":{closed},'
            f'"firstId":{first_id},"lastId":{last_id},"count":{last_id - first_id + 1}}}'
        )

    def _dead_row(self, pair: Pair, quote: Quote) -> str:
        """A pair without a trade: zeros in the provider's two spellings, sometimes an old closing price."""
        previous = f"{quote.last / 10**pair.decimals:.8f}" if pair.status == "BREAK" else _ZERO
        return (
            f'{{"symbol":"{pair.symbol}","priceChange":"{_ZERO}","priceChangePercent":"0","weightedAvgPrice":"0",'
            f'"prevClosePrice":"{previous}",{_zeros(_DEAD_FIELDS)}{self._dead_day(pair)}'
        )

    def _dead_mini_row(self, pair: Pair, quote: Quote) -> str:
        return f'{{"symbol":"{pair.symbol}",{_zeros(_DEAD_MINI_FIELDS)}{self._dead_day(pair)}'

    def _dead_day(self, pair: Pair) -> str:
        age = mix(pair.key, 21) % 40_000_000 if pair.status == "BREAK" else 0
        closed = self._clock.milliseconds_at(0) - age * 1000
        return f'"openTime":{closed - _DAY_MILLISECONDS},"closeTime":{closed},"firstId":-1,"lastId":-1,"count":0}}'


def _zeros(names: tuple[str, ...]) -> str:
    return "".join(f'"{name}":"{_ZERO}",' for name in names)


def turnover(pair: Pair, tick: int) -> float:
    """What was traded in the last day, in the quote asset; it breathes over the hours."""
    part = 0.02 + share(pair.key, 31) * 0.1
    dollars = min(pair.base.volume, pair.quote.volume * 4) * part
    return dollars / pair.quote.price * (1 + 0.06 * sin(tick / (TICKS_PER_SECOND * 2400) + pair.key % 628))


def best_lots(pair: Pair, tick: int) -> tuple[float, float]:
    """How much is offered at the best bid and at the best ask, in the base asset."""
    typical = 1 + pair.base.volume * 2e-6 / pair.base.price
    digits = 5 if pair.base.price > 1 else 0
    return tuple(round(typical * (0.05 + share(pair.key + side, tick)), digits) for side in (41, 42))  # type: ignore[return-value]  # two sides, two lots


def trade_ids(pair: Pair, tick: int) -> tuple[int, int]:
    """The first and the last trade of the day: both grow with time, and their distance is the day's count."""
    a_day = 40 + int(min(pair.base.volume * 0.05, 4e8) / 450)
    since_opening = int(a_day * (tick + DAY_TICKS) / DAY_TICKS)
    oldest = mix(pair.key, 51) % 6_000_000_000
    return oldest + since_opening - a_day, oldest + since_opening


def last_trade_id(pair: Pair, tick: int) -> int:
    """The id of the newest trade of a pair."""
    return trade_ids(pair, tick)[1]


def _price_row(pair: Pair, quote: Quote) -> str:
    # A halted pair keeps the price of its last trade in this list; only its day is empty.
    price = quote.last / 10**pair.decimals if pair.traded or pair.status == "BREAK" else 0.0
    return f'{{"symbol":"{pair.symbol}","price":"{price:.8f}"}}'
