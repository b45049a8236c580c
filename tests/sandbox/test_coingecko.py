"""CoinGecko's answers have the provider's shapes, caching and refusals."""

from __future__ import annotations

import re

import httpx
import pytest
from trio.testing import MockClock

from etl_actors.sandbox import Sandbox
from etl_actors.sandbox.coingecko_trending import trending_price

MARKETS = "/api/v3/coins/markets"
NOT_NULL = ("id", "symbol", "name", "image", "last_updated")


async def test_the_top_list_has_ranks_gaps_and_mixed_numbers(coingecko: httpx.AsyncClient) -> None:
    """One hundred coins by rank, whole and broken prices, some numbers missing, names never."""
    coins = (await coingecko.get(MARKETS, params={"vs_currency": "usd"})).json()
    assert [coin["market_cap_rank"] for coin in coins] == list(range(1, 101))
    assert coins[0]["id"] == "bitcoin"
    assert {type(coin["current_price"]) for coin in coins} == {int, float}
    assert all(coin[name] for coin in coins for name in NOT_NULL)
    assert 20 < sum(coin["max_supply"] is None for coin in coins) < 80
    assert sum(coin["roi"] is None for coin in coins) > 80
    assert all(coin["low_24h"] <= coin["current_price"] <= coin["high_24h"] for coin in coins)
    assert all(coin["symbol"] == coin["symbol"].lower() for coin in coins)
    assert coins[0]["last_updated"].endswith("Z")


async def test_symbols_repeat_and_small_prices_are_in_exponent_form(coingecko: httpx.AsyncClient) -> None:
    """The traps of the real list are in the first page of 250."""
    response = await coingecko.get(MARKETS, params={"vs_currency": "usd", "per_page": "250"})
    symbols = [coin["symbol"] for coin in response.json()]
    assert len(symbols) == 250
    assert all(symbols.count(name) == 2 for name in ("sol", "usdc", "weth"))
    assert re.search(r'"current_price":\d(\.\d+)?e-0\d', response.text)


async def test_pages_follow_each_other_and_end(coingecko: httpx.AsyncClient) -> None:
    """The second page goes on where the first ended; the last coins have no rank; far pages are empty."""
    pages = [
        (await coingecko.get(MARKETS, params={"vs_currency": "usd", "per_page": "250", "page": page})).json()
        for page in (1, 2, 9)
    ]
    assert pages[1][0]["market_cap_rank"] == 251
    assert pages[1][-1]["market_cap_rank"] is pages[1][-1]["market_cap"] is None
    assert pages[2] == []
    ids = [coin["id"] for page in pages for coin in page]
    assert len(set(ids)) == len(ids)


async def test_a_choice_of_coins_and_another_currency(coingecko: httpx.AsyncClient) -> None:
    """``ids`` narrows the list, prices are in the currency asked for, further changes come on request."""
    params = {"vs_currency": "btc", "ids": "bitcoin,ethereum", "price_change_percentage": "1h,7d"}
    bitcoin, ethereum = (await coingecko.get(MARKETS, params=params)).json()
    assert bitcoin["current_price"] == 1
    assert 0.01 < ethereum["current_price"] < 0.1
    assert isinstance(bitcoin["price_change_percentage_7d_in_currency"], float)


@pytest.mark.parametrize(
    ("query", "message"), [("", "Missing parameter vs_currency"), ("?vs_currency=zzz", "invalid vs_currency")]
)
async def test_the_top_list_needs_a_currency(coingecko: httpx.AsyncClient, query: str, message: str) -> None:
    """422 with an object where a list is expected."""
    response = await coingecko.get(MARKETS + query)
    assert (response.status_code, response.json()) == (422, {"error": message})


async def test_the_global_object_counts_in_sixty_currencies(coingecko: httpx.AsyncClient) -> None:
    """Totals in every currency, the ten largest shares, exponent form for the largest numbers."""
    response = await coingecko.get("/api/v3/global")
    data = response.json()["data"]
    assert len(data["total_market_cap"]) == len(data["total_volume"]) >= 60
    assert len(data["market_cap_percentage"]) == 10
    assert 40 < data["market_cap_percentage"]["btc"] < 70
    assert re.search(r'"vnd":\d\.\d+e\+16', response.text)
    assert isinstance(data["updated_at"], int)


async def test_trending_has_fifteen_coins_in_the_form_of_today(coingecko: httpx.AsyncClient) -> None:
    """A float price, money as text, the score as the place."""
    trending = (await coingecko.get("/api/v3/search/trending")).json()
    items = [entry["item"] for entry in trending["coins"]]
    assert [item["score"] for item in items] == list(range(15))
    assert len(trending["categories"]) == 6
    assert 5 <= len(trending["nfts"]) <= 7
    for item in items:
        assert isinstance(item["data"]["price"], float)
        assert isinstance(item["price_btc"], float)
        assert isinstance(item["data"]["price_btc"], str)
        assert item["data"]["market_cap"].startswith("$")
        assert len(item["data"]["price_change_percentage_24h"]) >= 60
    assert isinstance(trending["categories"][0]["coins_count"], str)


async def test_trending_prices_can_take_their_older_forms(sandbox: Sandbox, coingecko: httpx.AsyncClient) -> None:
    """The switch takes effect at once, also on a cached body."""
    await coingecko.get("/api/v3/search/trending")
    sandbox.switches.trending_price = "dollar"
    dollars = (await coingecko.get("/api/v3/search/trending")).json()
    assert all(entry["item"]["data"]["price"].startswith("$") for entry in dollars["coins"])
    sandbox.switches.trending_price = "absent"
    old = (await coingecko.get("/api/v3/search/trending")).json()
    assert len(old["coins"]) == 7
    assert all("data" not in entry["item"] for entry in old["coins"])
    assert old["exchanges"] == []


def test_zeros_are_folded_into_html() -> None:
    """The digit is the number of zeros after the point; prices that need no folding stay plain."""
    assert trending_price(0.000001532, "html") == '$0.0<sub title="0.000001532">5</sub>1532'
    assert trending_price(2412.456, "html") == trending_price(2412.456, "dollar") == "$2,412.46"
    assert trending_price(0.001445, "html") == "$0.001445"


async def test_a_body_stays_the_same_for_its_period(coingecko: httpx.AsyncClient, mock_clock: MockClock) -> None:
    """Same bytes and tag within ten seconds, a 304 for the tag, new ones afterwards."""
    params = {"vs_currency": "usd"}
    first = await coingecko.get(MARKETS, params=params)
    assert first.headers["Cache-Control"] == "public, max-age=10"
    assert first.headers["ETag"].startswith('W/"')
    mock_clock.jump(9)
    tagged = {"If-None-Match": first.headers["ETag"]}
    unchanged = await coingecko.get(MARKETS, params=params, headers=tagged)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["ETag"] == first.headers["ETag"]
    mock_clock.jump(1)
    changed = await coingecko.get(MARKETS, params=params, headers=tagged)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("agent", ["", "python-httpx/0.28.1"])
async def test_a_client_that_does_not_tell_who_it_is_is_refused(coingecko: httpx.AsyncClient, agent: str) -> None:
    """403 JSON that asks for a descriptive User-Agent."""
    response = await coingecko.get("/api/v3/global", headers={"User-Agent": agent})
    assert response.status_code == 403
    assert response.json()["status"]["error_code"] == 403
    assert "User-Agent" in response.json()["status"]["error_message"]
