"""The recorded payloads go through the whole service, and every stored item is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from etl_actors.messages import Item
from etl_actors.sandbox.exchange import Sandbox

from ..config import recordings as recorded
from .running import RunningService, pointed_config, running

pytestmark = recorded.needs_recordings

PAIR = "NKNUSDT"
SERVED = {
    "/api/v3/exchangeInfo": "binance_exchangeinfo_*.json",
    "/api/v3/ticker/24hr": "binance_ticker24hr_2019*.json",
    "/api/v3/depth": f"binance_depth_{PAIR}_*.json",
    "/api/v3/global": "coingecko_global_*.json",
    "/api/v3/coins/markets": "coingecko_markets_*.json",
    "/api/v3/search/trending": "coingecko_trending_*.json",
    "/data/pricemultifull": "cryptocompare_pricemultifull_*.json",
    "/data/top/mktcapfull": "cryptocompare_mktcapfull_*.json",
}


async def stored(service: RunningService, connector_id: str) -> list[Item]:
    """Every item of a connector in the order it was mapped, with the digits of its numbers as they were answered."""
    rows: list[Any] = []
    path: str | None = f"/api/data/items/{connector_id}?limit=1000&order=timestamp"
    while path:
        response = await service.client.get(path)
        assert response.status_code == 200
        page = json.loads(response.content, parse_float=Digits, parse_int=Digits)
        rows += page["items"]
        path = page["next"]
    return [item_of(row) for row in rows]


class Digits(str):
    """The digits of a JSON number."""


def item_of(row: dict[str, Any]) -> Item:
    """A row of REST as the item it was."""
    rank = row["market_cap_rank"]
    fields = {name: row[name] for name in Item.__struct_fields__ if name not in {"extra", "market_cap_rank"}}
    return Item(**fields, market_cap_rank=None if rank is None else int(rank), extra=encoded(row["extra"]))


def encoded(value: Any) -> str:
    """JSON text with the digits as they are."""
    if isinstance(value, Digits):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{encoded(one)}" for name, one in value.items()) + "}"
    return json.dumps(value)


def plain(path: str) -> Any:
    """The recording that is served there, read plainly."""
    return recorded.plain(recorded.found(SERVED[path])[0])


async def test_every_recorded_item_is_stored_as_the_provider_said_it(sandbox: Sandbox, folder: Path) -> None:
    """A local server answers with the recordings; REST gives every field of every item back."""
    for path, pattern in SERVED.items():
        sandbox.recorded.set(path, recorded.found(pattern)[0].read_bytes())
    prices = recorded.prices_of(plain("/api/v3/ticker/24hr"))
    sandbox.recorded.set("/api/v3/ticker/price", json.dumps(prices).encode())
    config = pointed_config(folder / "config", sandbox.origins)
    binance = config / "connectors" / "binance.toml"
    binance.write_text(binance.read_text().replace("BTCUSDT", PAIR))
    pairs = recorded.recorded_pairs()
    async with running(config, folder / "data") as service:
        # The bodies never change, so after two polls each was stored exactly once.
        for connector in (await service.get("/api/connectors"))["connectors"]:
            if not connector["enabled"]:
                continue
            path = f"/api/connectors/{connector['connector_id']}/status"
            await service.until(path, lambda status: status["polls"] >= 2 and status["unchanged"] >= 1)
        recorded.check_24hr(await stored(service, "binance_24hr"), plain("/api/v3/ticker/24hr"), pairs)
        recorded.check_prices(await stored(service, "binance_prices"), prices, pairs)
        book = await stored(service, "binance_orderbook")
        recorded.check_order_book(book, plain("/api/v3/depth"), PAIR, pairs.get(PAIR, (None, None)))
        recorded.check_top_coins(await stored(service, "coingecko_top"), plain("/api/v3/coins/markets"))
        recorded.check_trending(await stored(service, "coingecko_trending"), plain("/api/v3/search/trending"))
        recorded.check_multi(await stored(service, "cryptocompare_multi"), plain("/data/pricemultifull"))
        recorded.check_top_list(await stored(service, "cryptocompare_top"), plain("/data/top/mktcapfull"))
        latest = (await service.client.get("/api/data/coingecko_global/latest")).content
        assert json.loads(latest, parse_float=str)["response_data"] == json.loads(
            recorded.found(SERVED["/api/v3/global"])[0].read_bytes(), parse_float=str
        )
        assert await service.stop() == 0
