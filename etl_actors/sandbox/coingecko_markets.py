"""CoinGecko's list of coins: rank, price and day of each, with the gaps and number forms of the real list.

Any number may be missing, whole and broken numbers share a column, symbols repeat, tiny prices come in exponent form.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from etl_actors.sandbox.assets import Asset
from etl_actors.sandbox.chance import key_of, mix, share
from etl_actors.sandbox.clock import Clock
from etl_actors.sandbox.currencies import units_per_dollar
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.messages import Request
from etl_actors.sandbox.turns import Turns
from etl_actors.sandbox.walk import DAY_TICKS

_LARGEST_PAGE = 250
_PERIODS = {"1h": 1 / 24, "24h": 1.0, "7d": 7.0}
_ORDERS = ("market_cap_desc", "market_cap_asc", "volume_desc", "volume_asc", "id_asc", "id_desc")
_UNRANKED_BEYOND = 380
_IMAGES = "https://coin-images.coingecko.com/coins/images"


class InvalidParameter(Exception):
    """A parameter the list cannot be made with; the text is the provider's."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked for."""

    currency: str
    order: str
    page: int
    per_page: int
    ids: frozenset[str]
    symbols: frozenset[str]
    periods: tuple[str, ...]


class CoinList:
    """Writes pages of the list."""

    def __init__(self, market: Market, clock: Clock) -> None:
        self._market = market
        self._clock = clock

    def question(self, request: Request) -> Question:
        """Reads the parameters; refuses as the provider does."""
        currency = request.param("vs_currency")
        if not currency:
            raise InvalidParameter("Missing parameter vs_currency")
        try:
            units_per_dollar(self._market, currency.lower(), 0)
        except KeyError:
            raise InvalidParameter("invalid vs_currency") from None
        order = request.param("order") or "market_cap_desc"
        asked = (request.param("price_change_percentage") or "").split(",")
        return Question(
            currency.lower(),
            order if order in _ORDERS else "market_cap_desc",
            _whole(request.param("page"), 1),
            min(_whole(request.param("per_page"), 100), _LARGEST_PAGE),
            _names(request.param("ids")),
            _names(request.param("symbols")),
            tuple(period for period in asked if period in _PERIODS),
        )

    async def body(self, question: Question, tick: int) -> bytes:
        """One page."""
        turns = Turns()
        values = {}
        for coin in self._market.coins:
            values[coin.slug] = coin.supply * self._market.dollars(coin, tick)
            await turns.offer()
        ranked = list(enumerate(sorted(self._market.coins, key=lambda coin: -values[coin.slug]), start=1))
        if question.ids or question.symbols:
            ranked = [
                entry
                for entry in ranked
                if entry[1].slug in question.ids or entry[1].symbol.lower() in question.symbols
            ]
        start = (question.page - 1) * question.per_page
        chosen = _ordered(ranked, question.order)[start : start + question.per_page]
        rows = []
        for rank, coin in chosen:
            rows.append(self._row(rank, coin, question, tick))
            await turns.offer()
        return json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()

    def _row(self, rank: int, coin: Asset, question: Question, tick: int) -> dict[str, object]:
        rate = units_per_dollar(self._market, question.currency, tick)
        day = self._market.window(coin, None, tick - DAY_TICKS, tick)
        price, change = day.close * rate, (day.close - day.open) * rate
        percent = (day.close / day.open - 1) * 100
        key = key_of(5, coin.slug)
        known = rank <= _UNRANKED_BEYOND
        total = coin.supply * (1 + share(key, 1) * 0.4 * (mix(key, 2) % 3 > 0))
        total = min(total, coin.max_supply) if coin.max_supply else total
        high = max(coin.price * (1.2 + share(key, 3) ** 2 * 9), day.high) * rate
        low = min(coin.price * (0.001 + share(key, 4) * 0.5), day.low) * rate
        quiet = not known and mix(key, 5) % 3 == 0  # too little trade to tell a day from
        volume = coin.volume * rate * (0.9 + share(key, tick // 36_000) / 5)
        written = self._clock.seconds_at(tick) - share(key, tick) * 3
        row: dict[str, object] = {
            "id": coin.slug,
            "symbol": coin.symbol.lower(),
            "name": coin.name,
            "image": f"{_IMAGES}/{mix(key, 6) % 70_000}/large/{coin.slug}.png?{1_696_500_000 + mix(key, 7) % 6**10}",
            "current_price": shown(price),
            "market_cap": round(price * coin.supply) if known else None,
            "market_cap_rank": rank if known else None,
            "fully_diluted_valuation": round(price * total) if known and mix(key, 8) % 20 else None,
            "total_volume": volume if mix(key, 14) % 40 == 0 else round(volume),
            "high_24h": None if quiet else shown(day.high * rate),
            "low_24h": None if quiet else shown(day.low * rate),
            "price_change_24h": None if quiet else change,
            "price_change_percentage_24h": None if quiet else round(percent, 5),
            "market_cap_change_24h": change * coin.supply if known else None,
            "market_cap_change_percentage_24h": round(percent * 0.99, 5) if known else None,
            "circulating_supply": coin.supply,
            "total_supply": total,
            "max_supply": coin.max_supply,
            "ath": shown(high),
            "ath_change_percentage": round((price / high - 1) * 100, 5),
            "ath_date": _stamp(1_640_000_000 + mix(key, 9) % 110_000_000),
            "atl": shown(low),
            "atl_change_percentage": round((price / low - 1) * 100, 5),
            "atl_date": _stamp(1_380_000_000 + mix(key, 10) % 250_000_000),
            "roi": _roi(key),
            "last_updated": _stamp(written),
        }
        for period in question.periods:
            past = self._market.window(coin, None, tick - round(_PERIODS[period] * DAY_TICKS), tick)
            row[f"price_change_percentage_{period}_in_currency"] = (past.close / past.open - 1) * 100
        return row


def shown(price: float) -> float | int:
    """A price as the list shows it: whole when large, two decimals, or six digits when small."""
    if price >= 10_000:
        return round(price)
    return round(price, 2) if price >= 1 else float(f"{price:.6g}")


def _ordered(ranked: list[tuple[int, Asset]], order: str) -> list[tuple[int, Asset]]:
    field, _, direction = order.rpartition("_")
    if field == "volume":
        ranked = sorted(ranked, key=lambda entry: entry[1].volume)
    elif field == "id":
        ranked = sorted(ranked, key=lambda entry: entry[1].slug)
    else:
        ranked = ranked[::-1]
    return ranked if direction == "asc" else ranked[::-1]


def _roi(key: int) -> dict[str, object] | None:
    if mix(key, 11) % 14:
        return None
    times = share(key, 12) * 60 - 1
    return {"times": times, "currency": ("usd", "btc", "eth")[mix(key, 13) % 3], "percentage": times * 100}


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _names(text: str | None) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in (text or "").split(",") if name.strip())


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and 0 < int(text) < 10**6 else default
