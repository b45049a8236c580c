"""The shipped streams, switched on, against the sandbox: what a user of the demo or of the real providers sees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from etl_actors.sandbox import Sandbox
from etl_actors.sandbox.binance_book import BID, Book

from .running import RunningService, pointed_config, running

STREAMS = ("binance_trades", "binance_mini_tickers", "coinbase_ticker", "kraken_ticker")
# Every number of it is beyond what a float holds.
BOOK = """
[[connectors]]
connector_id = "book"
kind = "websocket"
source_id = "binance"
url = "{stream}/ws/btcusdt@depth@100ms"
message_type = "e"
[connectors.sequence]
key = "s"
first = "U"
last = "u"
on_gap = "resync"
bids = "b"
asks = "a"
[connectors.sequence.snapshot]
url = "{rest}/api/v3/depth?symbol={{key}}&limit=1000"
[connectors.items]
single = true
skip = "!book"
coin_symbol = "base_asset(s)"
price = "mid(book.best_bid, book.best_ask)"
[connectors.items.extra]
last = "book.last"
bids = "book.bids"
"""


def streams_config(folder: Path, origins: Mapping[str, str]) -> Path:
    """The shipped config with its streams switched on; what is polled is polled once."""
    config = pointed_config(folder, origins, interval=3600)
    for file in (config / "connectors").glob("*.toml"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("\nenabled = false", "\nenabled = true"), encoding="utf-8")
    return config


def snapshots(sandbox: Sandbox) -> int:
    """How often the book was fetched."""
    return sum(seen.query.endswith("limit=1000") for seen in sandbox.requests("/api/v3/depth"))


async def newest(service: RunningService, connector_id: str) -> list[Any]:
    """Its newest items."""
    items: list[Any] = (await service.get(f"/api/data/items/{connector_id}", limit=1000))["items"]
    return items


async def test_every_shipped_stream_flows_and_comes_back_after_its_line_broke(sandbox: Sandbox, folder: Path) -> None:
    """Items of the right coins at the market's prices; after a reset each connects again, and goes on."""
    config = streams_config(folder / "config", sandbox.origins)
    async with running(config, folder / "data") as service:

        async def flowing() -> None:
            for name in STREAMS:
                await service.until(f"/api/data/items/{name}", lambda page: page["items"])
                await service.until(f"/api/connectors/{name}/status", lambda status: status["state"] == "running")

        await flowing()
        before = {name: (await newest(service, name))[0]["id"] for name in STREAMS}
        dollars = sandbox.market.dollars(sandbox.market.assets["BTC"], sandbox.clock.tick())
        for name in STREAMS:
            items = await newest(service, name)
            pair = ("BTC", "USD" if name.startswith(("coinbase", "kraken")) else "USDT")
            prices = [item["price"] for item in items if (item["coin_symbol"], item["quote_symbol"]) == pair]
            assert prices, name
            assert all(abs(price / dollars - 1) < 0.05 for price in prices), (name, prices)
        opened = len(sandbox.requests())
        sandbox.set_fault("*", "hang_up", count=4)
        for name in STREAMS:
            last = before[name]
            await service.until(f"/api/data/items/{name}", lambda page, last=last: page["items"][0]["id"] > last)
        await service.until("/api/status", lambda _: len(sandbox.requests()) >= opened + 4)
        await flowing()
        assert await service.stop() == 0


async def test_an_order_book_survives_lost_frames_and_numbers_beyond_a_float(sandbox: Sandbox, folder: Path) -> None:
    """The book is fetched anew, and every item tells the true book of its moment."""
    sandbox.switches.sequence_base = 9_000_000_000_000_000_000
    config = pointed_config(folder / "config", sandbox.origins, interval=3600)
    origins = {
        "stream": sandbox.origins["wss://stream.binance.com:9443"],
        "rest": sandbox.origins["https://api.binance.com"],
    }
    (config / "connectors" / "book.toml").write_text(BOOK.format(**origins), encoding="utf-8")
    async with running(config, folder / "data") as service:
        await service.until("/api/data/items/book", lambda page: page["total"] >= 5)
        fetched = snapshots(sandbox)
        sandbox.set_fault("/ws/*", "lose_frames", count=3)
        await service.until("/api/status", lambda _: snapshots(sandbox) > fetched)
        total = (await service.get("/api/data/items/book"))["total"]
        page = await service.until("/api/data/items/book", lambda page: page["total"] >= total + 10)
        assert await service.stop() == 0
    lasts = [item["extra"]["last"] for item in reversed(page["items"])]
    assert all(2**62 < last < 2**63 for last in lasts)
    steps = [later - earlier for earlier, later in pairwise(lasts)]
    assert min(steps) > 0
    assert snapshots(sandbox) <= fetched + 2  # a snapshot older than the frames that wait for it is fetched again
    books = books_by_update(sandbox)
    for item in page["items"]:
        levels = filter(None, books[item["extra"]["last"]].levels(BID))
        assert item["extra"]["bids"] == [json.loads(level) for level in islice(levels, 10)]


def books_by_update(sandbox: Sandbox) -> dict[int, Book]:
    """The true books of the last half minute."""
    base, now = sandbox.switches.sequence_base, sandbox.clock.tick()
    pair = sandbox.market.pairs["BTCUSDT"]
    books = (Book(sandbox.market, pair, tick, base=base) for tick in range(max(now - 300, 0), now + 1))
    return {book.update: book for book in books}
