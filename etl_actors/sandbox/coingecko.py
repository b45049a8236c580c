"""CoinGecko's API: which list is meant, how long its body stays the same, and who may ask.

Like the real one it sits behind a cache: a body changes only every so many seconds, says so in ``Cache-Control`` and
``ETag``, and a client that shows the tag gets a 304. A client that does not say who it is gets a 403.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from hashlib import blake2b

from etl_actors.sandbox.bodies import BodyCache
from etl_actors.sandbox.clock import TICKS_PER_SECOND, Clock
from etl_actors.sandbox.coingecko_global import global_body
from etl_actors.sandbox.coingecko_markets import CoinList, InvalidParameter
from etl_actors.sandbox.coingecko_trending import trending_body
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.messages import JSON_UTF8, Answer, Request
from etl_actors.sandbox.refusals import missing_user_agent
from etl_actors.sandbox.switches import Switches

# What a library sends when nobody told it otherwise describes nobody.
_NOBODY = ("python-httpx/", "python-requests/", "python-urllib", "go-http-client/", "java/")
_EXPOSED = ("Access-Control-Expose-Headers", "link, per-page, total")


class CoinGecko:
    """The provider ``coingecko``."""

    name = "coingecko"
    origin = "https://api.coingecko.com"
    stream_origins: tuple[str, ...] = ()
    feed = None

    def __init__(self, market: Market, clock: Clock, switches: Switches) -> None:
        self._market = market
        self._clock = clock
        self._switches = switches
        self._cache = BodyCache()
        self._coins = CoinList(market, clock)

    async def answer(self, request: Request) -> Answer:
        """The answer to a request."""
        if _is_nobody(request.headers.get("user-agent", "")):
            return missing_user_agent()
        match request.path:
            case "/api/v3/global":
                return await self._cached(request, self._switches.global_seconds, self._global)
            case "/api/v3/search/trending":
                return await self._cached(request, self._switches.trending_seconds, self._trending)
            case "/api/v3/coins/markets":
                try:
                    question = self._coins.question(request)
                except InvalidParameter as error:
                    return Answer.of(json.dumps({"error": str(error)}, separators=(",", ":")), 422, JSON_UTF8)
                return await self._cached(
                    request, self._switches.markets_seconds, lambda tick: self._coins.body(question, tick)
                )
        return Answer.of('{"error":"Incorrect path. Please check https://www.coingecko.com/api/"}', 404, JSON_UTF8)

    async def _global(self, tick: int) -> bytes:
        return await global_body(self._market, self._clock, tick)

    async def _trending(self, tick: int) -> bytes:
        return await trending_body(self._market, self._switches.trending_price, tick)

    async def _cached(self, request: Request, seconds: float, build: Callable[[int], Awaitable[bytes]]) -> Answer:
        period = max(1, round(seconds * TICKS_PER_SECOND))
        tick = self._clock.tick()
        moment = tick - tick % period
        known = (moment, period, self._switches.trending_price)
        body = await self._cache.get((request.path, tuple(sorted(request.params))), known, lambda: build(moment))
        tag = f'W/"{blake2b(body.raw, digest_size=16).hexdigest()}"'
        age = (tick - moment) // TICKS_PER_SECOND
        headers = (
            ("Cache-Control", f"public, max-age={max(1, round(seconds))}"),
            ("ETag", tag),
            ("Age", str(age)),
            ("CF-Cache-Status", "HIT" if age else "MISS"),
            _EXPOSED,
        )
        shown = [part.strip() for part in request.headers.get("if-none-match", "").split(",")]
        fresh = tag in shown or "*" in shown
        return Answer(body, 304 if fresh else 200, JSON_UTF8, headers)


def _is_nobody(agent: str) -> bool:
    return not agent.strip() or agent.lower().startswith(_NOBODY)
