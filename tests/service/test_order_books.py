"""An order book through the whole service: exact after every frame, whatever is lost, and every loss is on record."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import trio

from ..sources.providers import provider, response
from ..sources.stream_server import Visit, serving
from .running import running

CONFIG = """
[limits.exchange]
weight_per_minute = 6_000

[[connectors]]
connector_id = "books"
kind = "websocket"
source_id = "exchange"
url = "{stream}/stream"
message_type = "data.e"
[connectors.sequence]
key = "data.s"
first = "data.U"
last = "data.u"
on_gap = "resync"
bids = "data.b"
asks = "data.a"
depth = 1000
[connectors.sequence.snapshot]
url = "{rest}/depth?symbol={{key}}&limit=1000"
limit = "exchange"
cost = 50
[connectors.items]
each = "[@]"
skip = "!book"
coin_symbol = "data.s"
price = "mid(book.best_bid, book.best_ask)"
[connectors.items.extra]
last = "book.last"
bids = "book.bids"
asks = "book.asks"
"""
FRAMES = 400
LOST = (60, 61, 200, 290)
BREAK_AFTER = 130

Side = dict[Decimal, str]


class Exchange:
    """A market of its own making: every change, and what the whole book was behind each of them."""

    def __init__(self) -> None:
        draw = random.Random(7)
        self.frames: list[str] = []
        self.states: dict[int, tuple[Side, Side]] = {0: ({Decimal("99.50"): "1.0"}, {Decimal("100.50"): "1.0"})}
        self.ranges: list[tuple[int, int]] = []
        self.said = self.last = 0
        self.asked: list[bytes] = []
        number = 0
        for _ in range(FRAMES):
            bids, asks = (dict(side) for side in self.states[number])
            first, number = number + 1, number + draw.randrange(1, 5)
            changes: dict[str, list[list[str]]] = {"b": [], "a": []}
            for side, name, low in ((bids, "b", 9000), (asks, "a", 10001)):
                for _ in range(draw.randrange(4)):
                    price = f"{Decimal(draw.randrange(low, low + 900)) / 100:.2f}"
                    quantity = draw.choice(["0.00000000", "1.50000000", f"{draw.randrange(1, 99)}.00000001"])
                    changes[name].append([price, quantity])
                    side[Decimal(price)] = quantity
                    if not Decimal(quantity):
                        del side[Decimal(price)]
            data = {"e": "depthUpdate", "s": "X", "U": first, "u": number} | changes
            self.frames.append(json.dumps({"stream": "x@depth", "data": data}))
            self.states[number] = (bids, asks)
            self.ranges.append((first, number))

    async def stream(self, visit: Visit) -> None:
        """The frames that were not said yet, but for those that get lost; the first socket is dropped on the way."""
        await visit.accept()
        while self.said < FRAMES:
            place = self.said
            self.said += 1
            self.last = self.ranges[place][1]
            if place not in LOST:
                await visit.say(self.frames[place])
            await trio.sleep(0.005)
            if place == BREAK_AFTER:
                await trio.sleep(0.3)  # what is on its way arrives: this frame is not to be lost
                await visit.drop()
                return
        await visit.listen()

    async def snapshot(self, stream: trio.SocketStream, head: bytes) -> None:
        """The book as it is now."""
        self.asked.append(head.split(b" ")[1])
        bids, asks = self.states[self.last]
        book = {
            "lastUpdateId": self.last,
            "bids": [[str(price), bids[price]] for price in sorted(bids, reverse=True)],
            "asks": [[str(price), asks[price]] for price in sorted(asks)],
        }
        await stream.send_all(response(json.dumps(book).encode()))


def items_of(database: str) -> list[tuple[Decimal, dict[str, Any]]]:
    """Price and extra of every stored item."""
    with psycopg.connect(database) as connection:
        return connection.execute("SELECT price, extra FROM api_connector_items ORDER BY id").fetchall()


async def test_the_book_is_exact_behind_every_frame_that_shows_it(folder: Path, database: str) -> None:
    """Frames are lost and the socket drops: what is missing is reported exactly, a snapshot is fetched, and every item
    is the market's book of its moment.
    """
    exchange = Exchange()
    (folder / "config" / "connectors").mkdir(parents=True)
    async with (
        provider(exchange.snapshot) as rest,
        serving(exchange.stream) as stream,
    ):
        text = CONFIG.format(stream=stream.url, rest=rest)
        (folder / "config" / "connectors" / "books.toml").write_text(text, encoding="utf-8")
        async with running(folder / "config", folder / "data", environment={"DATABASE_URL": database}) as service:
            arrived = FRAMES - len(LOST)
            await service.until("/api/connectors/books/status", lambda status: status["frames"] == arrived, seconds=60)
            assert await service.stop() == 0
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT key, first_missing, last_missing FROM gaps ORDER BY first_missing").fetchall()
        events = connection.execute("SELECT data FROM events WHERE type = 'gap' ORDER BY stream_offset").fetchall()
        frames = connection.execute("SELECT count(*) FROM websocket_data").fetchone()
    lost = [exchange.ranges[place] for place in LOST]
    missing = [("X", lost[0][0], lost[1][1]), ("X", *lost[2]), ("X", *lost[3])]
    assert rows == missing
    assert [(data["key"], data["from"], data["to"]) for (data,) in events] == missing
    assert frames == (arrived,)
    items = items_of(database)
    assert len(items) > arrived / 2
    shown = [extra["last"] for _, extra in items]
    assert shown == sorted(set(shown))
    assert shown[-1] == exchange.last
    for price, extra in items:
        bids, asks = exchange.states[extra["last"]]
        assert [(Decimal(p), q) for p, q in extra["bids"]] == sorted(bids.items(), reverse=True)
        assert [(Decimal(p), q) for p, q in extra["asks"]] == sorted(asks.items())
        assert price * 2 == max(bids) + min(asks)
    assert set(exchange.asked) == {b"/depth?symbol=X&limit=1000"}
    assert 3 <= len(exchange.asked) <= 12
