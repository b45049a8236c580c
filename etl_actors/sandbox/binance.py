"""Binance's public REST API: which question is meant, what it weighs, and what is wrong with it.

The rows themselves are written in ``binance_rows``, the order book in ``binance_book``, the list of symbols in
``binance_symbols``. Weights are counted per minute, as the headers of every answer tell.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from etl_actors.sandbox.binance_book import Book
from etl_actors.sandbox.binance_depth import LARGEST_LIMIT, depth_body, depth_weight
from etl_actors.sandbox.binance_errors import Refused
from etl_actors.sandbox.binance_rows import TickerRows
from etl_actors.sandbox.binance_streams import BinanceStreams
from etl_actors.sandbox.binance_symbols import SymbolList
from etl_actors.sandbox.bodies import BodyCache
from etl_actors.sandbox.clock import Clock
from etl_actors.sandbox.faults import Fault
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.messages import Answer, Body, Request
from etl_actors.sandbox.pairs import Pair
from etl_actors.sandbox.refusals import refusal
from etl_actors.sandbox.switches import Switches

_WEIGHT_PER_MINUTE = 6_000
_KNOWN = {
    "/api/v3/depth": {"symbol", "limit", "symbolStatus"},
    "/api/v3/ticker/price": {"symbol", "symbols", "symbolStatus"},
    "/api/v3/ticker/24hr": {"symbol", "symbols", "symbolStatus", "type"},
    "/api/v3/exchangeInfo": {"symbol", "symbols", "permissions", "symbolStatus", "showPermissionSets"},
}
_STATUSES = ("TRADING", "HALT", "BREAK")


class Binance:
    """The provider ``binance``."""

    name = "binance"
    origin = "https://api.binance.com"
    stream_origins = (
        "wss://stream.binance.com:9443",
        "wss://stream.binance.com:443",
        "wss://stream.binance.com",
        "wss://data-stream.binance.vision",
    )

    def __init__(self, market: Market, clock: Clock, switches: Switches) -> None:
        self._market = market
        self._clock = clock
        self._switches = switches
        self._cache = BodyCache()
        self._rows = TickerRows(market, clock)
        self._symbols = SymbolList(market, clock)
        self.feed = BinanceStreams(market, clock, switches)
        self._minute = -1
        self._used = 0
        self._routes: dict[str, Callable[[Request], Awaitable[Body]]] = {
            "/api/v3/depth": self._depth,
            "/api/v3/ticker/price": self._price,
            "/api/v3/ticker/24hr": self._day,
            "/api/v3/exchangeInfo": self._info,
        }

    async def answer(self, request: Request) -> Answer:
        """The answer to a request, weighed."""
        route = self._routes.get(request.path)
        if route is None:
            return Answer.of("", 404, "text/html")
        try:
            self._weigh(1)  # even a mistaken request weighs something
            _check_params(request)
            self._weigh(self._weight(request) - 1)
            if self._switches.enforce_weight and self._used > _WEIGHT_PER_MINUTE:
                return self._over_the_limit()
            return Answer(await route(request), headers=self._headers())
        except Refused as error:
            return Answer.of(error.body, 400, headers=self._headers())

    async def _depth(self, request: Request) -> Body:
        pair = self._one(request)
        limit = min(_whole(request, "limit", 100), LARGEST_LIMIT)
        tick = self._clock.tick()
        base = self._switches.sequence_base
        return await self._cache.get(
            ("depth", pair.symbol, limit, base),
            tick,
            lambda: depth_body(Book(self._market, pair, tick, base=base), limit),
        )

    async def _price(self, request: Request) -> Body:
        return await self._tickers(request, "price")

    async def _day(self, request: Request) -> Body:
        kind = request.param("type") or "FULL"
        if kind not in ("FULL", "MINI"):
            raise Refused(-1130, "Data sent for parameter 'type' is not valid.")
        return await self._tickers(request, kind)

    async def _tickers(self, request: Request, kind: str) -> Body:
        tick = self._clock.tick()
        if request.param("symbol") is not None:
            row = self._rows.row(kind, self._one(request), tick)
            return Body(row.encode())
        wanted, status = request.param("symbols"), request.param("symbolStatus")
        pairs = self._several(wanted) if wanted is not None else list(self._market.pairs.values())
        pairs = [pair for pair in pairs if status in (None, pair.status)]
        return await self._cache.get((kind, wanted, status), tick, lambda: self._rows.rows(kind, pairs, tick))

    async def _info(self, request: Request) -> Body:
        pairs, status = list(self._market.pairs.values()), request.param("symbolStatus")
        if request.param("symbol") is not None:
            pairs = [self._one(request)]
        elif (wanted := request.param("symbols")) is not None:
            pairs = self._several(wanted)
        pairs = [pair for pair in pairs if status in (None, pair.status)]
        sets = request.param("showPermissionSets") != "false"
        key = ("info", request.query)
        return await self._cache.get(
            key, self._clock.tick() // 10, lambda: self._symbols.body(pairs, permission_sets=sets)
        )

    def _one(self, request: Request) -> Pair:
        name, status = request.param("symbol"), request.param("symbolStatus")
        if name is None:
            raise Refused(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        pair = self._find(name)
        if status not in (None, pair.status):
            raise Refused(-1220, "The symbol's status does not match the requested symbolStatus.")
        return pair

    def _several(self, text: str) -> list[Pair]:
        try:
            names = json.loads(text)
        except ValueError:
            names = None
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise Refused(-1100, "Illegal characters found in parameter 'symbols'; legal range is a JSON list.")
        if len(set(names)) < len(names):
            raise Refused(-1101, "Duplicate values for parameter 'symbols'.")
        return [self._find(name) for name in names]

    def _find(self, name: str) -> Pair:
        if not name:
            raise Refused(-1105, "Parameter 'symbol' was empty.")
        if any(sign.islower() or not (sign.isalnum() or sign in "-._") for sign in name):
            raise Refused(-1100, "Illegal characters found in parameter 'symbol'.")
        pair = self._market.pairs.get(name)
        if pair is None:
            raise Refused(-1121, "Invalid symbol.")
        return pair

    def _weight(self, request: Request) -> int:
        if request.path == "/api/v3/depth":
            return depth_weight(_whole(request, "limit", 100))
        if request.path == "/api/v3/exchangeInfo":
            return 20
        if request.param("symbol") is not None:
            return 2
        if request.path == "/api/v3/ticker/price":
            return 4
        wanted = request.param("symbols")
        count = len(self._several(wanted)) if wanted is not None else len(self._market.pairs)
        return 80 if wanted is None or count > 100 else 40 if count > 20 else 2

    def _weigh(self, weight: int) -> None:
        minute = int(self._clock.now() // 60)
        if minute != self._minute:
            self._minute, self._used = minute, 0
        self._used += weight

    def _headers(self) -> tuple[tuple[str, str], ...]:
        used = str(self._used)
        return (
            ("x-mbx-used-weight", used),
            ("x-mbx-used-weight-1m", used),
            ("Cache-Control", "no-cache, no-store, must-revalidate"),
        )

    def _over_the_limit(self) -> Answer:
        wait = 60 - self._clock.now() % 60
        refused = refusal(self.name, Fault(kind="429", retry_after=max(1.0, wait)), self._clock)
        return Answer(refused.body, 429, refused.content_type, refused.headers + self._headers())


def _check_params(request: Request) -> None:
    names = [name for name, _ in request.params]
    known = _KNOWN[request.path]
    if len(set(names)) < len(names) or not known.issuperset(names):
        expected = len(known.intersection(names))
        raise Refused(-1101, f"Too many parameters; expected '{expected}' and received '{len(names)}'.")
    if "symbol" in names and "symbols" in names:
        raise Refused(-1128, "Combination of optional parameters invalid.")
    if request.param("symbolStatus") not in (None, *_STATUSES):
        raise Refused(-1130, "Data sent for parameter 'symbolStatus' is not valid.")


def _whole(request: Request, name: str, default: int) -> int:
    text = request.param(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    if not int(text):
        raise Refused(-1130, f"Data sent for parameter '{name}' is not valid.")
    return int(text)
