"""CoinGecko's trending list: fifteen coins, a few NFT collections, six categories.

The price of a coin has had four forms over the years; a switch says which one is served.
"""

from __future__ import annotations

import json
from math import floor, log10

import trio

from etl_actors.sandbox.assets import Asset
from etl_actors.sandbox.chance import key_of, mix, share
from etl_actors.sandbox.currencies import currency_codes
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.switches import TrendingPrice
from etl_actors.sandbox.walk import DAY_TICKS

_COINS, _COINS_OF_2021 = 15, 7
_NFTS = ("Quiet Otters", "Pixel Harbour", "Night Gardeners", "Paper Foxes", "Tin Robots", "Cloud Deeds")
_CATEGORIES = ("Meme", "Layer 1 (L1)", "Artificial Intelligence (AI)", "Real World Assets (RWA)", "Privacy", "Gaming")
_SITE, _IMAGES = "https://www.coingecko.com", "https://coin-images.coingecko.com"
_FOLDED_ZEROS = 4  # from so many zeros on the HTML form folds them into one digit


async def trending_body(market: Market, form: TrendingPrice, tick: int) -> bytes:
    """The answer at a tick."""
    coins = sorted(market.coins[20:], key=lambda coin: mix(key_of(9, coin.slug), tick // 36_000))
    listed = coins[: _COINS_OF_2021 if form == "absent" else _COINS]
    items = []
    for score, coin in enumerate(listed):
        items.append({"item": _item(market, coin, score, form, tick)})
        await trio.lowlevel.checkpoint()
    if form == "absent":
        return _dump({"coins": items, "exchanges": []})
    nfts = [_nft(place, name) for place, name in enumerate(_NFTS)]
    categories = [_category(place, name, tick) for place, name in enumerate(_CATEGORIES)]
    return _dump({"coins": items, "nfts": nfts, "categories": categories})


def _item(market: Market, coin: Asset, score: int, form: TrendingPrice, tick: int) -> dict[str, object]:
    key = key_of(9, coin.slug)
    number, place = mix(key, 1) % 70_000, market.coins.index(coin)
    bitcoins = market.dollars(coin, tick) / market.dollars(market.assets["BTC"], tick)
    image = f"{_IMAGES}/coins/images/{number}"
    item: dict[str, object] = {
        "id": coin.slug,
        "coin_id": number,
        "name": coin.name,
        "symbol": coin.symbol,
        "market_cap_rank": place + 1 if place < 400 else None,
        "thumb": f"{image}/standard/{coin.slug}.png?1696500000",
        "small": f"{image}/small/{coin.slug}.png?1696500000",
        "large": f"{image}/large/{coin.slug}.png?1696500000",
        "slug": coin.slug,
        "price_btc": bitcoins,
        "score": score,
    }
    if form != "absent":
        item["data"] = _data(market, coin, form, tick, number, bitcoins)
    return item


def _data(
    market: Market, coin: Asset, form: TrendingPrice, tick: int, number: int, bitcoins: float
) -> dict[str, object]:
    day = market.window(coin, None, tick - DAY_TICKS, tick)
    percent, key = (day.close / day.open - 1) * 100, key_of(9, coin.slug)
    value, content = day.close * coin.supply, None
    if mix(key, 2) % 5 == 0:
        content = {"title": f"What is {coin.name}?", "description": f"{coin.name} is\u00a0made up by the sandbox."}
    return {
        "price": trending_price(day.close, form),
        "price_btc": f"{bitcoins:.20f}",
        "price_change_percentage_24h": {
            code: percent + share(key, place) - 0.5 if code != "usd" else percent
            for place, code in enumerate(sorted(currency_codes()))
        },
        "market_cap": f"${value:,.0f}",
        "market_cap_btc": f"{bitcoins * coin.supply:.12f}",
        "total_volume": f"${coin.volume:,.0f}",
        "total_volume_btc": f"{coin.volume / day.close * bitcoins:.12f}",
        "sparkline": f"{_SITE}/coins/{number}/sparkline.svg",
        "content": content,
    }


def trending_price(price: float, form: TrendingPrice) -> float | str:
    """A price as a number, as "$1,234.56", or with its zeros folded into HTML."""
    if form == "float":
        return price
    plain = f"{price:,.2f}" if price >= 1 else f"{price:.{3 - floor(log10(price))}f}"
    zeros = -floor(log10(price)) - 1
    if form == "html" and zeros >= _FOLDED_ZEROS:
        return f'$0.0<sub title="{plain}">{zeros}</sub>{plain[2 + zeros :]}'
    return f"${plain}"


def _nft(place: int, name: str) -> dict[str, object]:
    number, floor_price, change = 400 + place * 173, 0.04 + place * 1.13, 37.5 - place * 11.3
    slug = name.lower().replace(" ", "-")
    return {
        "id": slug,
        "name": name,
        "symbol": "".join(word[0] for word in name.split()) + "NFT",
        "thumb": f"{_IMAGES}/nft_contracts/images/{number}/standard/{slug}.png?1707287000",
        "nft_contract_id": number,
        "native_currency_symbol": "eth",
        "floor_price_in_native_currency": floor_price,
        "floor_price_24h_percentage_change": change,
        "data": {
            "floor_price": f"{floor_price:.2f} ETH",
            "floor_price_in_usd_24h_percentage_change": str(change),
            "h24_volume": f"{floor_price * 12:.2f} ETH",
            "h24_average_sale_price": f"{floor_price * 1.1:.2f} ETH",
            "sparkline": f"{_SITE}/nft/{number}/sparkline.svg",
            "content": None,
        },
    }


def _category(place: int, name: str, tick: int) -> dict[str, object]:
    key = key_of(9, name)
    value, change = 1e8 * (1 + mix(key, 1) % 400), share(key, tick // 3000) * 30 - 15
    slug = "-".join(name.lower().replace("(", "").replace(")", "").split())
    return {
        "id": 40 + place * 37,
        "name": name,
        "top_3_coins_images": [f"{_IMAGES}/coins/images/{mix(key, n) % 70_000}/small/coin.png" for n in (2, 3, 4)],
        "market_cap_1h_change": change / 20,
        "slug": slug,
        "coins_count": str(10 + mix(key, 5) % 700),
        "data": {
            "market_cap": value,
            "market_cap_btc": value / 95_000,
            "total_volume": value / 14,
            "total_volume_btc": value / 14 / 95_000,
            "market_cap_change_percentage_24h": dict.fromkeys(sorted(currency_codes()), change),
            "sparkline": f"{_SITE}/categories/{40 + place * 37}/sparkline.svg",
        },
    }


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
