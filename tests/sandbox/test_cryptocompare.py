"""CryptoCompare's answers have the provider's shapes of 2026, errors with status 200 among them."""

from __future__ import annotations

import httpx
import pytest

from etl_actors.sandbox import Sandbox

TEXTS = {
    "TYPE", "MARKET", "FROMSYMBOL", "TOSYMBOL", "FLAGS", "LASTMARKET", "LASTTRADEID", "CONVERSIONTYPE",
    "CONVERSIONSYMBOL", "IMAGEURL",
}  # fmt: skip


async def test_short_prices_are_numbers_by_symbol_and_currency(cryptocompare: httpx.AsyncClient) -> None:
    """Repeated symbols are merged, unknown ones left out."""
    response = await cryptocompare.get("/data/pricemulti?fsyms=BTC,ETH,BTC,NOSUCH&tsyms=USD,EUR")
    prices = response.json()
    assert set(prices) == {"BTC", "ETH"}
    assert prices["BTC"]["USD"] / prices["BTC"]["EUR"] == pytest.approx(1.1635, rel=0.02)
    assert response.headers["Cache-Control"] == "public, max-age=10"


async def test_full_prices_are_numbers_in_raw_and_text_in_display(cryptocompare: httpx.AsyncClient) -> None:
    """RAW holds numbers except for names, DISPLAY the same without three fields, all text."""
    answer = (await cryptocompare.get("/data/pricemultifull?fsyms=BTC,ETH&tsyms=USD")).json()
    raw, shown = answer["RAW"]["BTC"]["USD"], answer["DISPLAY"]["BTC"]["USD"]
    assert len(raw) == 48
    assert all(isinstance(value, str if name in TEXTS else int | float) for name, value in raw.items())
    assert set(raw) - set(shown) == {"TYPE", "FLAGS", "MEDIAN"}
    assert all(isinstance(value, str) for value in shown.values())
    assert shown["PRICE"].startswith("$ ")
    assert shown["MKTCAP"].endswith(" B")
    assert raw["LOW24HOUR"] <= raw["PRICE"] <= raw["HIGH24HOUR"]
    assert raw["LOWHOUR"] <= raw["OPENHOUR"] <= raw["HIGHHOUR"]
    assert raw["CHANGE24HOUR"] == pytest.approx(raw["PRICE"] - raw["OPEN24HOUR"])


async def test_the_top_list_is_ranked_by_value(cryptocompare: httpx.AsyncClient) -> None:
    """Name is the symbol, the hash rate does not fit 64 bits, rank is the place, pages go on."""
    answer = (await cryptocompare.get("/data/top/mktcapfull?limit=10&tsym=USD")).json()
    assert (answer["Message"], answer["Type"], answer["SponsoredData"]) == ("Success", 100, [])
    caps = [row["RAW"]["USD"]["MKTCAP"] for row in answer["Data"]]
    assert caps == sorted(caps, reverse=True)
    info = answer["Data"][0]["CoinInfo"]
    assert (info["Name"], info["FullName"]) == ("BTC", "Bitcoin")
    assert info["NetHashesPerSecond"] > 2**63
    assert answer["Data"][1]["CoinInfo"]["MaxSupply"] == -1
    further = (await cryptocompare.get("/data/top/mktcapfull?limit=10&tsym=USD&page=1")).json()
    names = [row["CoinInfo"]["Name"] for row in answer["Data"] + further["Data"]]
    assert len(set(names)) == 20


async def test_the_other_top_list_is_ranked_by_volume(cryptocompare: httpx.AsyncClient) -> None:
    """The most traded coin is the dollar stablecoin, and limits beyond a hundred are clipped."""
    answer = (await cryptocompare.get("/data/top/totalvolfull?limit=500&tsym=EUR")).json()
    assert len(answer["Data"]) == 100
    assert answer["Data"][0]["CoinInfo"]["Name"] == "USDT"
    assert "EUR" in answer["Data"][0]["RAW"]


@pytest.mark.parametrize(
    ("target", "kind", "message"),
    [
        ("/data/top/mktcapfull?limit=10", 2, "tsym is a required param."),
        ("/data/pricemulti?fsyms=BTC", 2, "tsyms is a required param."),
        (
            "/data/pricemulti?fsyms=NOSUCH&tsyms=USD",
            2,
            "cccagg_or_exchange market does not exist for this coin pair (NOSUCH-USD)",
        ),
        ("/data/nothing", 0, "Path does not exist"),
    ],
)
async def test_errors_come_with_status_200(
    cryptocompare: httpx.AsyncClient, target: str, kind: int, message: str
) -> None:
    """The body tells, the status does not."""
    response = await cryptocompare.get(target)
    body = response.json()
    assert response.status_code == 200
    assert (body["Response"], body["Type"], body["Message"]) == ("Error", kind, message)
    assert response.headers["Cache-Control"] == "no-cache, no-store"


async def test_keyless_calls_are_refused_when_a_key_is_required(
    sandbox: Sandbox, cryptocompare: httpx.AsyncClient
) -> None:
    """401 with a body unlike the older errors; a key in the header or the query opens the door."""
    sandbox.switches.cryptocompare_key_required = True
    target = "/data/pricemulti?fsyms=BTC&tsyms=USD"
    refused = await cryptocompare.get(target)
    assert refused.status_code == 401
    assert refused.json()["Err"]["message"].startswith("API key required")
    assert (await cryptocompare.get(target, headers={"Authorization": "Apikey k"})).status_code == 200
    assert (await cryptocompare.get(target + "&api_key=k")).status_code == 200
