"""Binance's stream events: what each stream has to tell about a stretch of time.

Everything is computed from the same market as the REST side: a ticker event is the ticker row of that moment under
shorter names, trades carry on the row's ids, and the updates of a book lead from one REST snapshot to the next.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice

from etl_actors.sandbox.binance_book import ASK, BID, Book
from etl_actors.sandbox.binance_rows import TickerRows, last_trade_id
from etl_actors.sandbox.bodies import BodyCache
from etl_actors.sandbox.chance import mix, share
from etl_actors.sandbox.clock import TICKS_PER_SECOND, Clock
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.pairs import Pair
from etl_actors.sandbox.switches import Switches
from etl_actors.sandbox.turns import Turns

ALL_MINI_TICKERS = "!miniTicker@arr"
_MOST_TRADES = 50  # of one pair at one moment
_MINI = {
    "c": "lastPrice", "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume",
}  # fmt: skip
_TICKER = {
    "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "x": "prevClosePrice", "c": "lastPrice",
    "Q": "lastQty", "b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty", "o": "openPrice",
    "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume", "O": "openTime", "C": "closeTime",
    "F": "firstId", "L": "lastId", "n": "count",
}  # fmt: skip
_PARTIAL = {"depth5": 5, "depth10": 10, "depth20": 20}


class FrameWriter:
    """Writes the events of every stream; ``unit`` is how many of its time units make a millisecond."""

    def __init__(self, market: Market, clock: Clock, switches: Switches, *, unit: int = 1) -> None:
        self._market = market
        self._clock = clock
        self._switches = switches
        self._unit = unit
        self._rows = TickerRows(market, clock)
        self._pairs = {pair.symbol.lower(): pair for pair in market.pairs.values()}
        self._all = BodyCache()

    def time(self, tick: int) -> int:
        """The time of a tick as events tell it."""
        return self._clock.milliseconds_at(tick) * self._unit

    async def events(self, stream: str, since: int, tick: int) -> Sequence[str]:
        """The events of a stream after one tick and up to another; none for a stream that there is not."""
        if stream == ALL_MINI_TICKERS:
            return await self._every_mini(since, tick)
        symbol, _, kind = stream.partition("@")
        pair = self._pairs.get(symbol)
        if pair is None or not pair.traded:
            return ()
        kind, _, speed = kind.partition("@")
        if kind in ("trade", "aggTrade", "bookTicker") and not speed:
            write = {"trade": self._trades, "aggTrade": self._aggregate, "bookTicker": self._best}[kind]
            return [event for moved in _moves(pair, since, tick) for event in write(pair, moved)]
        if kind == "depth" or kind in _PARTIAL:
            return self._depth(pair, kind, speed, since, tick)
        if kind in ("miniTicker", "ticker") and not speed:
            since, tick = _whole_seconds(since, tick)
            return [self._ticker(kind, pair, tick)] if _moves(pair, since, tick) else ()
        return ()

    async def _every_mini(self, since: int, tick: int) -> Sequence[str]:
        since, tick = _whole_seconds(since, tick)
        if since == tick:
            return ()

        async def build() -> bytes:
            events, turns = [], Turns()
            for pair in self._pairs.values():
                if pair.traded and _moves(pair, tick - TICKS_PER_SECOND, tick):
                    events.append(self._ticker("miniTicker", pair, tick))
                await turns.offer()
            return f"[{','.join(events)}]".encode()

        return [(await self._all.get("all", tick, build)).raw.decode()]

    def _ticker(self, kind: str, pair: Pair, tick: int) -> str:
        mini = kind == "miniTicker"
        row = json.loads(self._rows.row("MINI" if mini else "FULL", pair, tick))
        event = {"e": "24hrMiniTicker" if mini else "24hrTicker", "E": self.time(tick), "s": pair.symbol}
        return _dump(event | {short: row[name] for short, name in (_MINI if mini else _TICKER).items()})

    def _trades(self, pair: Pair, tick: int) -> Sequence[str]:
        price, taken_by_seller = self._traded(pair, tick)
        first, last = self._trade_ids(pair, tick)
        when = self.time(tick)
        return [
            f'{{"e":"trade","E":{when},"s":"{pair.symbol}","t":{trade},"p":"{price}","q":"{_lot(pair, trade)}",'
            f'"T":{when},"m":{taken_by_seller},"M":true}}'
            for trade in range(first, last + 1)
        ]

    def _aggregate(self, pair: Pair, tick: int) -> Sequence[str]:
        price, taken_by_seller = self._traded(pair, tick)
        first, last = self._trade_ids(pair, tick)
        if first > last:
            return ()
        aggregate = mix(pair.key, 91) % 2_000_000_000 + tick // pair.pace
        when, lot = self.time(tick), sum(float(_lot(pair, trade)) for trade in range(first, last + 1))
        return [
            f'{{"e":"aggTrade","E":{when},"s":"{pair.symbol}","a":{aggregate},"p":"{price}","q":"{lot:.8f}",'
            f'"f":{first},"l":{last},"T":{when},"m":{taken_by_seller},"M":true}}'
        ]

    def _traded(self, pair: Pair, tick: int) -> tuple[str, str]:
        quote = self._market.quote(pair, tick)
        return f"{quote.last / 10**pair.decimals:.8f}", "true" if quote.last == quote.bid else "false"

    def _trade_ids(self, pair: Pair, tick: int) -> tuple[int, int]:
        last = last_trade_id(pair, tick)
        return max(last_trade_id(pair, tick - pair.pace) + 1, last - _MOST_TRADES), last

    def _best(self, pair: Pair, tick: int) -> Sequence[str]:
        book = self._book(pair, tick)
        ((bid, bid_lot), (ask, ask_lot)) = (json.loads(next(filter(None, book.levels(side)))) for side in (BID, ASK))
        best = {"u": book.update, "s": pair.symbol, "b": bid, "B": bid_lot, "a": ask, "A": ask_lot}
        return [_dump(best)]

    def _depth(self, pair: Pair, kind: str, speed: str, since: int, tick: int) -> Sequence[str]:
        if speed not in ("", "100ms", "1000ms"):
            return ()
        if speed != "100ms":
            since, tick = _whole_seconds(since, tick)
        moves = _moves(pair, since, tick)
        if not moves:
            return ()
        before, *way, after = (self._book(pair, moment) for moment in (since, *moves))
        if kind in _PARTIAL:
            bids, asks = (",".join(islice(filter(None, after.levels(side)), _PARTIAL[kind])) for side in (BID, ASK))
            return [f'{{"lastUpdateId":{after.update},"bids":[{bids}],"asks":[{asks}]}}']
        bids, asks = (",".join(after.changes([before, *way], side)) for side in (BID, ASK))
        return [
            f'{{"e":"depthUpdate","E":{self.time(tick)},"s":"{pair.symbol}","U":{before.update + 1},'
            f'"u":{after.update},"b":[{bids}],"a":[{asks}]}}'
        ]

    def _book(self, pair: Pair, tick: int) -> Book:
        return Book(self._market, pair, tick, base=self._switches.sequence_base)


def _moves(pair: Pair, since: int, tick: int) -> range:
    """The ticks after ``since`` up to ``tick`` at which a pair has a new price."""
    return range(since + 1 + (pair.phase - since - 1) % pair.pace, tick + 1, pair.pace)


def _whole_seconds(since: int, tick: int) -> tuple[int, int]:
    return since // TICKS_PER_SECOND * TICKS_PER_SECOND, tick // TICKS_PER_SECOND * TICKS_PER_SECOND


def _lot(pair: Pair, trade: int) -> str:
    digits = 5 if pair.base.price > 1 else 0
    typical = pair.base.volume * 2e-7 / pair.base.price
    return f"{max(10.0**-digits, round(typical * (0.01 + share(pair.key, trade)), digits)):.8f}"


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
