"""CryptoCompare's objects: RAW with numbers, DISPLAY with the same as text, CoinInfo about the coin itself."""

from __future__ import annotations

from etl_actors.sandbox.assets import Asset
from etl_actors.sandbox.chance import key_of, mix, share
from etl_actors.sandbox.clock import TICKS_PER_SECOND, Clock
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.walk import DAY_TICKS

_HOUR_TICKS = 3_600 * TICKS_PER_SECOND
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "BTC": "Ƀ", "ETH": "Ξ", "TRY": "₺", "BRL": "R$"}
_SCALED = ("MKTCAP", "CIRCULATINGSUPPLYMKTCAP")
_NOT_SHOWN = ("TYPE", "FLAGS", "MEDIAN")
_IN_COIN = ("SUPPLY", "CIRCULATINGSUPPLY", "LASTVOLUME")
_FIRST_COINS = {
    "BTC": ("1182", "SHA-256", "PoW", "2009-01-03", 701_959_672_354_179_900_000),
    "ETH": ("7605", "Ethash", "PoS", "2015-07-30", 0),
    "LTC": ("3808", "Scrypt", "PoW", "2011-10-13", 2_871_342_112_345_678),
    "DOGE": ("4432", "Scrypt", "PoW", "2013-12-06", 2_954_113_998_123_456),
}


class RowWriter:
    """Makes the objects for a coin, a currency and a tick."""

    def __init__(self, market: Market, clock: Clock) -> None:
        self._market = market
        self._clock = clock

    def price(self, coin: Asset, money: Asset, tick: int) -> float:
        """One price as the short answers give it."""
        rate = 1.0 if money.symbol == "USD" else self._market.dollars(money, tick)
        price = self._market.dollars(coin, tick) / rate
        return round(price, 2) if price >= 1 else float(f"{price:.4g}")

    def raw(self, coin: Asset, money: Asset, tick: int) -> dict[str, object]:
        """The RAW object."""
        quote = None if money.symbol == "USD" else money
        rate = 1.0 if quote is None else self._market.dollars(quote, tick)
        now = int(self._clock.seconds_at(tick))
        into_day = max(1, round(now % 86_400 * TICKS_PER_SECOND))
        hour, today, day = (
            self._market.window(coin, quote, tick - length, tick) for length in (_HOUR_TICKS, into_day, DAY_TICKS)
        )
        price, key = day.close, key_of(13, coin.symbol + money.symbol)
        volume = coin.volume / self._market.dollars(coin, tick) * (0.1 + share(key, 1) * 0.1)
        total, day_part = volume * 8.3, into_day / DAY_TICKS
        supply = int(coin.supply) if coin.supply == int(coin.supply) else coin.supply
        value = price * coin.supply
        return {
            "TYPE": "5",
            "MARKET": "CCCAGG",
            "FROMSYMBOL": coin.symbol,
            "TOSYMBOL": money.symbol,
            "FLAGS": "2",
            "LASTMARKET": "CCCAGG",
            "MEDIAN": price,
            "TOPTIERVOLUME24HOUR": volume,
            "TOPTIERVOLUME24HOURTO": volume * price,
            "LASTTRADEID": str(981_000_000 + tick) if mix(key, 2) % 3 else f"{mix(key, tick) % 36**9:X}Z9E",
            "PRICE": price,
            "LASTUPDATE": now,
            "LASTVOLUME": round(55 / rate / price, 8),
            "LASTVOLUMETO": 55 / rate,
            "VOLUMEHOUR": volume / 26,
            "VOLUMEHOURTO": volume / 26 * price,
            "OPENHOUR": hour.open,
            "HIGHHOUR": hour.high,
            "LOWHOUR": hour.low,
            "VOLUMEDAY": volume * day_part,
            "VOLUMEDAYTO": volume * day_part * price,
            "OPENDAY": today.open,
            "HIGHDAY": today.high,
            "LOWDAY": today.low,
            "VOLUME24HOUR": volume,
            "VOLUME24HOURTO": volume * price,
            "OPEN24HOUR": day.open,
            "HIGH24HOUR": day.high,
            "LOW24HOUR": day.low,
            "CHANGE24HOUR": price - day.open,
            "CHANGEPCT24HOUR": (price / day.open - 1) * 100,
            "CHANGEDAY": price - today.open,
            "CHANGEPCTDAY": (price / today.open - 1) * 100,
            "CHANGEHOUR": price - hour.open,
            "CHANGEPCTHOUR": (price / hour.open - 1) * 100,
            "CONVERSIONTYPE": "direct",
            "CONVERSIONSYMBOL": "",
            "CONVERSIONLASTUPDATE": now,
            "SUPPLY": supply,
            "MKTCAP": value,
            "MKTCAPPENALTY": 0,
            "CIRCULATINGSUPPLY": supply,
            "CIRCULATINGSUPPLYMKTCAP": value,
            "TOTALVOLUME24H": total,
            "TOTALVOLUME24HTO": total * price,
            "TOTALTOPTIERVOLUME24H": total * 0.54,
            "TOTALTOPTIERVOLUME24HTO": total * 0.54 * price,
            "IMAGEURL": f"/media/{37_746_000 + mix(key_of(13, coin.symbol), 3) % 9000}/{coin.symbol.lower()}.png",
        }

    def display(self, raw: dict[str, object]) -> dict[str, object]:
        """The DISPLAY object: every value as text for people."""
        coin, money = str(raw["FROMSYMBOL"]), str(raw["TOSYMBOL"])
        signs = (_SIGNS.get(coin, coin), _SIGNS.get(money, money))
        shown = {name: _text(name, value, signs) for name, value in raw.items() if name not in _NOT_SHOWN}
        told = {"FROMSYMBOL": signs[0], "TOSYMBOL": signs[1], "MARKET": "CryptoCompare Index", "LASTUPDATE": "Just now"}
        return {**shown, **told, "CONVERSIONLASTUPDATE": "Just now", "MKTCAPPENALTY": "0 %"}

    def coin_info(self, coin: Asset, tick: int) -> dict[str, object]:
        """The CoinInfo object: ``Name`` is the symbol, ``FullName`` the name."""
        key = key_of(13, coin.symbol)
        known = _FIRST_COINS.get(coin.symbol, (str(900_000 + mix(key, 4) % 90_000), "N/A", "N/A", "2021-05-10", 0))
        number, algorithm, proof, launched, hashes = known
        rated = mix(key, 5) % 3 or coin.symbol in _FIRST_COINS
        return {
            "Id": number,
            "Name": coin.symbol,
            "FullName": coin.name,
            "Internal": coin.symbol,
            "ImageUrl": f"/media/{37_746_000 + mix(key, 3) % 9000}/{coin.symbol.lower()}.png",
            "Url": f"/coins/{coin.symbol.lower()}/overview",
            "Algorithm": algorithm,
            "ProofType": proof,
            "Rating": {
                "Weiss": {
                    "Rating": "B+" if rated else "",
                    "TechnologyAdoptionRating": "A-" if rated else "",
                    "MarketPerformanceRating": "D" if rated else "",
                }
            },
            "NetHashesPerSecond": hashes,
            "BlockNumber": 876_157 + tick // 6_000 if hashes else 0,
            "BlockTime": 600 if hashes else 0,
            "BlockReward": 3.125 if coin.symbol == "BTC" else 0,
            "AssetLaunchDate": launched,
            "MaxSupply": coin.max_supply if coin.max_supply is not None else -1,
            "Type": 1,
            "DocumentType": "Webpagecoinp",
        }


def _text(name: str, value: object, signs: tuple[str, str]) -> str:
    if not isinstance(value, int | float):
        return str(value)
    if name.startswith("CHANGEPCT"):
        return f"{value:.2f}"
    in_coin = name in _IN_COIN or (name.startswith(("VOLUME", "TOTAL", "TOPTIER")) and not name.endswith("TO"))
    sign = signs[0] if in_coin else signs[1]
    return f"{sign} {_scaled(value) if name.startswith('TOTAL') or name in _SCALED else _grouped(value)}"


def _scaled(value: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{value / size:,.2f} {letter}"
    return f"{value:.2f}" if value else "0"


def _grouped(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value:,.1f}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.4g}"
