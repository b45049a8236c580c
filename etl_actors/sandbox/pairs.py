"""Which pairs the exchange lists: the well-known ones, every trap a symbol parser can fall into, and made-up ones.

The traps come first, so a small exchange has them too: quotes that are suffixes of each other (ADAEUR against AEUR),
digits, other scripts, stablecoins as base, wrapped and leveraged names. About one pair in twelve is dead, as on the
real exchange: halted for good, still listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor, log10

from etl_actors.sandbox.assets import Asset
from etl_actors.sandbox.chance import key_of, mix

_FIRST = """
BTC/USDT ETH/USDT ETH/BTC LUNA/EUR! 币安人生/USDT ADA/EUR 1INCH/USDT 123/456 USDC/USDT BNB/BTC SOL/USDT BTC/AEUR
WBTC/BTC BTCUP/USDT! XRP/USDT PEPE/USDT GALA/EUR THETA/EUR ADA/USDT DOGE/USDT BNB/USDT USDT/TRY FDUSD/USDT TUSD/USDT
BTC/EUR EUR/USDT 1000SATS/USDT 1MBABYDOGE/USDT 龙虾/USDT 哈基米/USDT ETHBULL/USDT! BTCDOWN/USDT! BTC/FDUSD
ETH/FDUSD BTC/USDC ETH/USDC LINK/BTC LTC/BTC ETHUP/USDT! ETHDOWN/USDT! ETHBEAR/USDT! BETH/ETH! WBETH/ETH BNBUP/USDT!
BNBDOWN/USDT! RENBTC/BTC! USDP/USDT AEUR/USDT EURI/USDT EUR/AEUR BTC/TRY BTC/BRL BTC/JPY BTC/DAI BTC/BUSD! ETH/BUSD!
SHIB/USDT SHIB/TRY USDT/BRL USDT/ARS USDT/MXN USDT/COP USDT/CZK USDT/ZAR USDT/PLN USDT/UAH USDT/RUB! USDT/NGN!
USDT/IDRT! TRX/XRP DOT/BNB BNSOL/SOL USD1/USDT USDE/USDT PAXG/USDT PAXG/BTC
"""
_QUOTES = ("USDT", "USDC", "BTC", "FDUSD", "TRY", "BNB", "ETH", "EUR", "BRL", "USD1", "JPY", "GBP")
_DEAD_PART = 0.08
_NEWLY_LISTED = 2  # trading already, never traded yet
_SMALLEST_PRICE = 2e-6  # below it eight decimals say too little
_PACES = ((40, 1), (300, 10), (900, 30))  # so many pairs change every so many ticks; the rest:
_SLOWEST_PACE = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """A listed pair. It has a new price every ``pace`` ticks, first at ``phase``; ``decimals`` are those of a price."""

    symbol: str
    base: Asset
    quote: Asset
    status: str
    traded: bool
    decimals: int
    pace: int
    phase: int
    key: int


def list_pairs(count: int, seed: int, assets: dict[str, Asset], more: Iterator[Asset]) -> list[Pair]:
    """The first ``count`` pairs; coins drawn from ``more`` are added to ``assets``."""
    chosen: list[tuple[Asset, Asset, bool]] = []
    taken: set[str] = set()
    for base, quote, dead in _candidates(assets, more):
        if base.symbol + quote.symbol not in taken and quote.symbol + base.symbol not in taken:
            taken.add(base.symbol + quote.symbol)
            chosen.append((base, quote, dead))
        if len(chosen) >= count:
            break
    return [_pair(place, count, seed, *entry) for place, entry in enumerate(_bury(chosen))]


def _candidates(assets: dict[str, Asset], more: Iterator[Asset]) -> Iterator[tuple[Asset, Asset, bool]]:
    for entry in _FIRST.split():
        left, _, right = entry.rstrip("!").partition("/")
        yield assets[left], assets[right], entry.endswith("!")
    coins = [asset for asset in assets.values() if asset.volatility > 0.01 and asset.volume > 1e6]
    for base in coins:
        yield from ((base, assets[name], False) for name in _QUOTES[:8] if _sensible(base, assets[name]))
    for base in more:
        assets[base.symbol] = base
        wanted = 2 + mix(len(assets), 5) % 5
        names = [name for name in _QUOTES if _sensible(base, assets[name])][:wanted]
        yield from ((base, assets[name], False) for name in names)


def _sensible(base: Asset, quote: Asset) -> bool:
    return base.symbol != quote.symbol and base.price / quote.price > _SMALLEST_PRICE


def _bury(chosen: list[tuple[Asset, Asset, bool]]) -> list[tuple[Asset, Asset, bool]]:
    """Marks further pairs as dead, every so many from the end, until their part of the whole is right."""
    missing = round(len(chosen) * _DEAD_PART) - sum(dead for _, _, dead in chosen)
    mortal = range(len(_FIRST.split()), len(chosen) - _NEWLY_LISTED)
    places = [place for place in mortal if not chosen[place][2]]
    if missing <= 0 or not places:
        return chosen
    step = max(1, len(places) // missing)
    doomed = set(places[::-1][::step][:missing])
    return [(base, quote, dead or place in doomed) for place, (base, quote, dead) in enumerate(chosen)]


def make_pair(symbol: str, base: Asset, quote: Asset, *, seed_of: str, pace: int) -> Pair:
    """A pair that is traded, with ``pace``, whatever exchange lists it."""
    key = key_of(0, seed_of)
    return Pair(symbol, base, quote, "TRADING", True, _decimals(base, quote), pace, mix(key, 3) % pace, key)


def _decimals(base: Asset, quote: Asset) -> int:
    return min(8, max(2, 4 - floor(log10(base.price / quote.price))))


def _pair(place: int, count: int, seed: int, base: Asset, quote: Asset, dead: bool) -> Pair:
    symbol = base.symbol + quote.symbol
    key = key_of(seed, f"pair {symbol}")
    pace = next((pace for limit, pace in _PACES if place < limit), _SLOWEST_PACE)
    fresh = not dead and count > 1000 and place >= count - _NEWLY_LISTED
    status = "BREAK" if dead else "TRADING"
    return Pair(symbol, base, quote, status, not (dead or fresh), _decimals(base, quote), pace, mix(key, 3) % pace, key)
