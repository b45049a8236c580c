"""CoinGecko's one object about the whole market: totals in some sixty currencies and the largest shares."""

from __future__ import annotations

import json

import trio

from etl_actors.sandbox.clock import Clock
from etl_actors.sandbox.currencies import currency_codes, units_per_dollar
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.walk import DAY_TICKS

_UNLISTED = 1.04  # the real totals count many thousand coins more than the sandbox has
_LARGEST = 10


async def global_body(market: Market, clock: Clock, tick: int) -> bytes:
    """The answer at a tick."""
    values = {coin.slug: market.dollars(coin, tick) * coin.supply for coin in market.coins}
    await trio.lowlevel.checkpoint()
    total = sum(values.values()) * _UNLISTED
    volume = sum(coin.volume for coin in market.coins) * _UNLISTED
    largest = sorted(market.coins, key=lambda coin: -values[coin.slug])[:_LARGEST]
    bitcoin = market.window(market.assets["BTC"], None, tick - DAY_TICKS, tick)
    rates = {code: units_per_dollar(market, code, tick) for code in currency_codes()}
    await trio.lowlevel.checkpoint()
    data = {
        "active_cryptocurrencies": 17_397,
        "upcoming_icos": 0,
        "ongoing_icos": 49,
        "ended_icos": 3_376,
        "markets": 1_476,
        "total_market_cap": {code: total * rate for code, rate in rates.items()},
        "total_volume": {code: volume * rate for code, rate in rates.items()},
        "market_cap_percentage": {coin.symbol.lower(): values[coin.slug] / total * 100 for coin in largest},
        "market_cap_change_percentage_24h_usd": (bitcoin.close / bitcoin.open - 1) * 90,
        "volume_change_percentage_24h_usd": (bitcoin.high / bitcoin.low - 1) * 300 - 12,
        "updated_at": int(clock.seconds_at(tick)),
    }
    return json.dumps({"data": data}, separators=(",", ":")).encode()
