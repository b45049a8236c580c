"""Binance's order book: as many levels as are asked for and there are, around the quote of the ticker.

What lies at a price stays there for some seconds, so one snapshot resembles the next. Small pairs have short and
unequal sides; a halted pair has none.
"""

from __future__ import annotations

from math import exp

import trio

from etl_actors.sandbox.binance_rows import best_lots
from etl_actors.sandbox.chance import mix, normal
from etl_actors.sandbox.market import Market, Quote
from etl_actors.sandbox.pairs import Pair

LARGEST_LIMIT = 5_000
_SLICE = 500  # levels written before others get their turn
_STAYS_TICKS = 50


def depth_weight(limit: int) -> int:
    """What a question for so many levels weighs."""
    return 5 if limit <= 100 else 25 if limit <= 500 else 50 if limit <= 1000 else 250


async def depth_body(market: Market, pair: Pair, limit: int, tick: int) -> bytes:
    """The book of a pair at a tick."""
    update = mix(pair.key, 61) % 80_000_000_000 + (tick // pair.pace) * 7
    bids: list[str] = []
    asks: list[str] = []
    if pair.traded:
        quote = market.quote(pair, tick)
        bids = await _side(pair, quote, -1, min(limit, _available(pair, 62)))
        asks = await _side(pair, quote, 1, min(limit, _available(pair, 63)))
    return f'{{"lastUpdateId":{update},"bids":[{",".join(bids)}],"asks":[{",".join(asks)}]}}'.encode()


def _available(pair: Pair, salt: int) -> int:
    if pair.pace == 1:
        return LARGEST_LIMIT
    return 40 + mix(pair.key, salt) % (4000 // pair.pace)


async def _side(pair: Pair, quote: Quote, direction: int, levels: int) -> list[str]:
    units = 10**pair.decimals
    price = quote.bid if direction < 0 else quote.ask
    best = best_lots(pair, quote.tick)[direction > 0]
    typical, digits = best + pair.base.volume * 1e-6 / pair.base.price, 5 if pair.base.price > 1 else 0
    stirred = pair.key + quote.tick // _STAYS_TICKS
    lines = [_level(price / units, best)]
    for place in range(1, levels):
        price += direction * (1 + mix(pair.key, price) % 3)
        if price <= 0:
            break
        lot = max(10.0**-digits, round(typical * exp(normal(stirred, price) - 0.5), digits))
        lines.append(_level(price / units, lot))
        if place % _SLICE == 0:
            await trio.lowlevel.checkpoint()
    return lines


def _level(price: float, lot: float) -> str:
    return f'["{price:.8f}","{lot:.8f}"]'
