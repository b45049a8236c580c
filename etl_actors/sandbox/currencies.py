"""The currencies CoinGecko counts totals in, as units for one US dollar, and the coins it uses as currencies."""

from __future__ import annotations

from etl_actors.sandbox.market import Market

# units for one dollar: round figures of ours; fiat and metals do not move in the sandbox
_PER_DOLLAR = {
    "usd": 1.0, "aed": 3.6725, "ars": 1443.0, "aud": 1.506, "bdt": 122.1, "bhd": 0.377, "bmd": 1.0, "brl": 5.397,
    "cad": 1.401, "chf": 0.805, "clp": 938.0, "cny": 7.11, "cop": 3816.0, "czk": 20.83, "dkk": 6.42, "eur": 0.8595,
    "gbp": 0.7513, "gel": 2.71, "hkd": 7.772, "huf": 331.0, "idr": 16_700.0, "ils": 3.23, "inr": 88.7, "jpy": 155.7,
    "krw": 1463.0, "kwd": 0.307, "lkr": 304.5, "mmk": 2100.0, "mxn": 18.24, "myr": 4.14, "ngn": 1451.0, "nok": 10.08,
    "nzd": 1.771, "php": 58.9, "pkr": 281.0, "pln": 3.638, "rub": 76.9, "sar": 3.7505, "sek": 9.43, "sgd": 1.301,
    "thb": 32.3, "try": 42.5, "twd": 31.1, "uah": 42.2, "vef": 0.1001, "vnd": 26_350.0, "zar": 16.97,
    "xdr": 0.737, "xag": 0.0189, "xau": 0.000239,
}  # fmt: skip
_COINS = ("btc", "eth", "ltc", "bch", "bnb", "eos", "xrp", "xlm", "link", "dot", "yfi", "sol")
_PARTS_OF_BITCOIN = {"bits": 1e6, "sats": 1e8}


def currency_codes() -> list[str]:
    """All codes, coins first."""
    return [*_COINS, *_PER_DOLLAR, *_PARTS_OF_BITCOIN]


def units_per_dollar(market: Market, code: str, tick: int) -> float:
    """How many units one dollar buys; raises KeyError for a code that is not listed."""
    if code in _COINS:
        return 1 / market.dollars(market.assets[code.upper()], tick)
    if code in _PARTS_OF_BITCOIN:
        return _PARTS_OF_BITCOIN[code] / market.dollars(market.assets["BTC"], tick)
    return _PER_DOLLAR[code]
