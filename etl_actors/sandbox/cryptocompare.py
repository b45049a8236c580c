"""CryptoCompare's legacy API: prices of several coins and the two top lists, in the shapes of 2026.

Errors come with status 200 and ``"Response":"Error"``. Since May 2026 the real service wants a key; a switch asks for
one here too.
"""

from __future__ import annotations

import json

import trio

from etl_actors.sandbox.assets import Asset
from etl_actors.sandbox.bodies import BodyCache
from etl_actors.sandbox.clock import TICKS_PER_SECOND, Clock
from etl_actors.sandbox.cryptocompare_rows import RowWriter
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.messages import Answer, Request
from etl_actors.sandbox.refusals import missing_key
from etl_actors.sandbox.switches import Switches

_JSON = "application/json; charset=UTF-8"
_CACHED = (("Cache-Control", "public, max-age=10"), ("X-CryptoCompare-Cache-HIT", "false"))
_UNCACHED = (("Cache-Control", "no-cache, no-store"), ("X-CryptoCompare-Cache-HIT", "false"))
_SERVER = (("X-CryptoCompare-Server-Id", "cc-api-min-v2-29"),)
_LARGEST_LIMIT = 100


class Failed(Exception):
    """An error of this provider: type, message and further fields of its body."""

    def __init__(self, kind: int, message: str, **more: object) -> None:
        super().__init__(message)
        error = {"Response": "Error", "Message": message, "HasWarning": False, "Type": kind}
        self.body = _dump({**error, "RateLimit": {}, "Data": {}, **more})


class CryptoCompare:
    """The provider ``cryptocompare``."""

    name = "cryptocompare"
    origin = "https://min-api.cryptocompare.com"
    stream_origins: tuple[str, ...] = ()
    feed = None

    def __init__(self, market: Market, clock: Clock, switches: Switches) -> None:
        self._market = market
        self._clock = clock
        self._switches = switches
        self._cache = BodyCache()
        self._rows = RowWriter(market, clock)

    async def answer(self, request: Request) -> Answer:
        """The answer to a request."""
        if self._switches.cryptocompare_key_required and not _has_key(request):
            return missing_key()
        tick = self._clock.tick() // TICKS_PER_SECOND * TICKS_PER_SECOND  # it tells time in whole seconds
        try:
            body = await self._cache.get(request.target, tick, lambda: self._body(request, tick))
        except Failed as error:
            return Answer.of(error.body, 200, _JSON, _UNCACHED + _SERVER)
        return Answer(body, 200, _JSON, _CACHED + _SERVER)

    async def _body(self, request: Request, tick: int) -> bytes:
        match request.path:
            case "/data/pricemulti":
                return self._prices(request, tick)
            case "/data/pricemultifull":
                return await self._full_prices(request, tick)
            case "/data/top/mktcapfull":
                return await self._top(request, tick, by_volume=False)
            case "/data/top/totalvolfull":
                return await self._top(request, tick, by_volume=True)
        raise Failed(0, "Path does not exist")

    def _prices(self, request: Request, tick: int) -> bytes:
        coins, currencies = self._asked(request)
        return _dump(
            {coin.symbol: {money.symbol: self._rows.price(coin, money, tick) for money in currencies} for coin in coins}
        )

    async def _full_prices(self, request: Request, tick: int) -> bytes:
        coins, currencies = self._asked(request)
        raw: dict[str, dict[str, object]] = {}
        shown: dict[str, dict[str, object]] = {}
        for coin in coins:
            for money in currencies:
                row = self._rows.raw(coin, money, tick)
                raw.setdefault(coin.symbol, {})[money.symbol] = row
                shown.setdefault(coin.symbol, {})[money.symbol] = self._rows.display(row)
            await trio.lowlevel.checkpoint()
        return _dump({"RAW": raw, "DISPLAY": shown})

    async def _top(self, request: Request, tick: int, *, by_volume: bool) -> bytes:
        money = self._currency(_required(request, "tsym"))
        limit = min(_whole(request.param("limit"), 10), _LARGEST_LIMIT)
        coins = {coin.symbol: coin for coin in reversed(self._market.coins)}  # one coin a symbol, the first listed
        ranked = sorted(coins.values(), key=lambda coin: -self._size(coin, tick, by_volume))
        start = _whole(request.param("page"), 0) * limit
        data = []
        for coin in ranked[start : start + limit]:
            row = self._rows.raw(coin, money, tick)
            shown = {money.symbol: self._rows.display(row)}
            info = self._rows.coin_info(coin, tick)
            data.append({"CoinInfo": info, "RAW": {money.symbol: row}, "DISPLAY": shown})
            await trio.lowlevel.checkpoint()
        head = {"Message": "Success", "Type": 100, "MetaData": {"Count": len(ranked)}, "SponsoredData": []}
        return _dump({**head, "Data": data})

    def _size(self, coin: Asset, tick: int, by_volume: bool) -> float:
        return coin.volume if by_volume else coin.supply * self._market.dollars(coin, tick)

    def _asked(self, request: Request) -> tuple[list[Asset], list[Asset]]:
        names = dict.fromkeys(_required(request, "fsyms").upper().split(","))  # repeated ones are merged
        wanted = dict.fromkeys(_required(request, "tsyms").upper().split(","))
        coins = [self._market.assets[name] for name in names if name in self._market.assets]
        if not coins:
            raise _no_market(next(iter(names)), next(iter(wanted)))
        return coins, [self._currency(name) for name in wanted]

    def _currency(self, name: str) -> Asset:
        if name.upper() == "USD":
            return _DOLLAR
        asset = self._market.assets.get(name.upper())
        if asset is None:
            raise _no_market("BTC", name.upper())
        return asset


_DOLLAR = Asset("USD", "usd", "US Dollar", 1.0, 1e13, 1e13, 0.0)


def _no_market(coin: str, money: str) -> Failed:
    text = f"cccagg_or_exchange market does not exist for this coin pair ({coin}-{money})"
    return Failed(2, text, Cooldown=0)


def _required(request: Request, name: str) -> str:
    value = request.param(name)
    if not value:
        raise Failed(2, f"{name} is a required param.", ParamWithError=name)
    return value


def _has_key(request: Request) -> bool:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return bool(request.param("api_key")) or (scheme.lower() == "apikey" and bool(key.strip()))


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else default


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
