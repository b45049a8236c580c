"""Binance's exchangeInfo: every pair with its base, its quote, its status and the rules of trading it.

The rules never change while the sandbox runs, so each symbol is written once and only the time in front is new.
"""

from __future__ import annotations

import json

from etl_actors.sandbox.clock import Clock
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.pairs import Pair
from etl_actors.sandbox.turns import Turns

_RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300000},
]
_MARGIN_QUOTES = ("USDT", "USDC", "BTC", "FDUSD")


class SymbolList:
    """Writes the list for any choice of pairs."""

    def __init__(self, market: Market, clock: Clock) -> None:
        self._clock = clock
        self._written: dict[tuple[str, bool], str] = {}

    async def body(self, pairs: list[Pair], *, permission_sets: bool) -> bytes:
        """The answer for these pairs."""
        symbols = []
        turns = Turns()
        for pair in pairs:
            symbols.append(self._symbol(pair, permission_sets))
            await turns.offer()
        head = json.dumps(
            {
                "timezone": "UTC",
                "serverTime": int(self._clock.now() * 1000),
                "rateLimits": _RATE_LIMITS,
                "exchangeFilters": [],
            },
            separators=(",", ":"),
        )
        return f'{head[:-1]},"symbols":[{",".join(symbols)}]}}'.encode()

    def _symbol(self, pair: Pair, permission_sets: bool) -> str:
        known = self._written.get((pair.symbol, permission_sets))
        if known is None:
            known = json.dumps(_describe(pair, permission_sets), separators=(",", ":"), ensure_ascii=False)
            self._written[pair.symbol, permission_sets] = known
        return known


def _describe(pair: Pair, permission_sets: bool) -> dict[str, object]:
    margin = pair.traded and pair.quote.symbol in _MARGIN_QUOTES and pair.pace < 100
    sets = [["SPOT", "MARGIN"] if margin else ["SPOT"]]
    return {
        "symbol": pair.symbol,
        "status": pair.status,
        "baseAsset": pair.base.symbol,
        "baseAssetPrecision": 8,
        "quoteAsset": pair.quote.symbol,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": pair.status == "TRADING",
        "isMarginTradingAllowed": margin,
        "filters": _filters(pair),
        "permissions": [],
        "permissionSets": sets if permission_sets else [],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def _filters(pair: Pair) -> list[dict[str, object]]:
    price_step, lot_step = f"{10.0**-pair.decimals:.8f}", "0.00001000" if pair.base.price > 1 else "1.00000000"
    return [
        {"filterType": "PRICE_FILTER", "minPrice": price_step, "maxPrice": "1000000.00000000", "tickSize": price_step},
        {"filterType": "LOT_SIZE", "minQty": lot_step, "maxQty": "9000000000.00000000", "stepSize": lot_step},
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True, "avgPriceMins": 5},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
    ]
