"""What is read back from the log is what was published live: every kind, in order, every digit."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import trio
import trio.testing
from psycopg.sql import SQL

from etl_actors.messages import UNOWNED, Event, Item, Transformed
from etl_actors.storage.log_entries import Entry
from etl_actors.storage.log_queries import select_bodies, select_entries, select_items, select_sizes
from etl_actors.storage.opening import Storage

from ..actors.parts import transformed
from .opened import opened
from .test_commit import batch

DAY = timedelta(days=1)
PLENTY = 1_000_000
EXACT = Item(
    coin_name="Bitcoin",
    coin_symbol="btc",
    quote_symbol="USDT",
    price="95000.50",
    market_cap="0." + "0" * 60 + "123456789012345678901234567890",
    volume_24h="9" * 40,
    price_change_24h="-1.10",
    market_cap_rank=1,
    extra='{"pair":"BTCUSDT","high":95000.50,"deep":[{"é":null}]}',
)


def plain(event: Event) -> tuple[Any, ...]:
    """An event with its texts as the values they are, numbers exactly."""
    return (
        event.offset,
        event.event_id,
        event.type,
        event.connector_id,
        event.timestamp,
        value(event.encoded),
        [(symbol, value(text)) for symbol, text in event.items],
    )


def value(text: bytes) -> Any:
    """JSON whose numbers keep every digit."""
    return json.loads(text, parse_float=_number, parse_int=_number)


def _number(digits: str) -> tuple[str, str]:
    return "number", digits


def of_every_kind(epoch: int) -> list[Transformed]:
    """One of everything that has an event, and what has none in between."""
    body = '{"price":95000.50,"many":12345678901234567890123,"text":"ü\\u0007"}'.encode()
    frame = {"kind": "frame", "epoch": epoch, "response_time_ms": 0}
    said = {"kind": "message", "epoch": UNOWNED, "connector_id": "", "items": (), "api_name": "", "exchange": ""}
    return [
        transformed(items=(EXACT, Item(coin_symbol="ETH", price="100")), epoch=epoch),
        transformed(items=(), has_items=True, epoch=epoch),
        transformed(items=(), epoch=epoch, body=b"\xef\xbb\xbf" + body),
        transformed(items=(), epoch=epoch, store_response=False),
        transformed(items=3, message_type="miniTicker", body=b'[{"s":"BTCUSDT"}]', **frame),
        transformed(items=(), has_items=True, message_type="trade", body=body, **frame),
        transformed(**said, message_type="note", body=b'{"type":"note","n":1.50,"offset":"mine","id":7}'),
        transformed(items=(), kind="notice", message_type="gap", body=b'{"key":"K","from":1,"to":2}', epoch=epoch),
        transformed(items=(), kind="notice", message_type="connector_status", body=b'{"state":"stale"}', epoch=epoch),
    ]


async def read_all(storage: Storage, *, since: int = 0, limit: int = 1_000, max_bytes: int = PLENTY) -> list[Event]:
    """Page after page, to the end."""
    found: list[Event] = []
    while page := await storage.log.after(since, limit=limit, max_bytes=max_bytes):
        found += page
        since = page[-1].offset
    return found


async def test_every_kind_of_event_comes_back_as_it_was_published(database: str) -> None:
    """Answers, frames, messages and notices: the same JSON, the same items, the same order."""
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        live = await storage.writer.write(batch(*of_every_kind(claim.epoch)))
        again = await read_all(storage)
        bounds = await storage.log.bounds()
        stream = await storage.reader.stream()
    assert [event.type for event in again] == [
        "price_update", "price_update", "data_update", "price_update", "data_update", "note", "gap", "connector_status",
    ]  # fmt: skip
    assert [plain(event) for event in again] == [plain(event) for event in live]
    assert bounds == (stream[0], 1, 8)


async def test_pages_of_any_size_make_the_same_whole(database: str) -> None:
    """However few events or bytes a page may have, none is left out and none comes twice."""
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        for _ in range(3):
            await storage.writer.write(batch(*of_every_kind(claim.epoch)))
        whole = [plain(event) for event in await read_all(storage)]
        for limit, max_bytes in ((1, PLENTY), (7, PLENTY), (1_000, 0), (1_000, 3_000), (5, 2_000)):
            again = await read_all(storage, limit=limit, max_bytes=max_bytes)
            assert [plain(event) for event in again] == whole
        assert [plain(event) for event in await read_all(storage, since=17)] == whole[17:]
        assert await storage.log.after(24, limit=10, max_bytes=PLENTY) == []
        assert await storage.log.after(10**15, limit=10, max_bytes=PLENTY) == []


async def test_a_page_is_bounded_by_its_bytes(database: str) -> None:
    """Big answers come a few at a time, whatever the number of events that was allowed."""
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        big = json.dumps({"text": "".join(random.Random(1).choices("abcdefgh0123456789", k=300_000))}).encode()
        for _ in range(8):
            await storage.writer.write(
                batch(transformed(items=(), epoch=claim.epoch, body=big), transformed(items=700, epoch=claim.epoch))
            )
        since, pages = 0, []
        while page := await storage.log.after(since, limit=1_000, max_bytes=1_000_000):
            pages.append(sum(len(event.encoded) for event in page))
            since = page[-1].offset
    assert since == 16
    assert max(pages) <= 1_000_000
    assert len(pages) > 4


async def test_events_are_read_without_a_hole_while_batches_are_committed(database: str) -> None:
    """Two services write, one reader follows: every offset once, in order, each event what its writer was told."""
    async with opened(database) as first, opened(database) as second:
        published: dict[int, tuple[Any, ...]] = {}
        seen: list[Event] = []

        async def write(storage: Storage, connector_id: str) -> None:
            claim = await storage.claims.claim(connector_id)
            for many in range(40):
                parts = (transformed(connector_id, items=many % 9, epoch=claim.epoch) for _ in range(1 + many % 4))
                published.update((event.offset, plain(event)) for event in await storage.writer.write(batch(*parts)))

        async def follow() -> None:
            while not seen or seen[-1].offset < 200:
                seen.extend(await first.log.after(seen[-1].offset if seen else 0, limit=7, max_bytes=20_000))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            nursery.start_soon(write, first, "one")
            nursery.start_soon(write, second, "two")
    assert [event.offset for event in seen] == list(range(1, 201))
    assert {event.offset: plain(event) for event in seen} == published


async def test_what_retention_took_is_left_out_and_seen_by_the_jump(database: str) -> None:
    """Answers went before items: their events are missing, not empty; the history is said to begin after them."""
    now = datetime.now(UTC)
    async with opened(database, responses_days=1, items_days=7, events_days=7) as storage:
        claim = await storage.claims.claim("one")
        for age in (5, 3, 0):
            received = now - age * DAY
            parts = (transformed(items=n, epoch=claim.epoch, received_at=received) for n in (0, 2, 0, 1, 0))
            await storage.writer.write(batch(*parts))
        await storage.retention.sweep(now)
        assert [event.offset for event in await read_all(storage)] == [2, 4, 7, 9, 11, 12, 13, 14, 15]
        assert [event.offset for event in await read_all(storage, limit=1)] == [2, 4, 7, 9, 11, 12, 13, 14, 15]
        assert (await storage.log.bounds())[1:] == (11, 15)


async def test_entries_that_went_leave_a_later_beginning(database: str) -> None:
    """Rows that outlive their entry of the log are in no event; with no entry left the history begins at its head."""
    async with opened(database) as storage:
        assert (await storage.log.bounds())[1:] == (1, 0)
        claim = await storage.claims.claim("one")
        await storage.writer.write(batch(*(transformed(epoch=claim.epoch) for _ in range(6))))
        async with storage.writers.connection() as connection:
            await connection.execute("DELETE FROM events WHERE stream_offset <= 4")
            assert (await storage.log.bounds())[1:] == (5, 6)
            assert [event.offset for event in await read_all(storage)] == [5, 6]
            await connection.execute("DELETE FROM events")
        assert (await storage.log.bounds())[1:] == (7, 6)
        assert await read_all(storage) == []


async def test_only_the_partitions_of_a_page_are_looked_into(database: str) -> None:
    """By index, row by row, with an entry that was stored long after its time among them."""
    now = datetime.now(UTC)
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        for age in range(30, -1, -1):
            received = now - age * DAY
            parts = [transformed(items=n, epoch=claim.epoch, received_at=received) for n in (40, 0)]
            await storage.writer.write(batch(*parts))
        async with storage.writers.connection() as connection:
            await connection.execute("SET enable_seqscan = off")  # these tables are small enough to be read whole
            cursor = await connection.execute(*select_entries(20, 6), binary=True)
            entries = [Entry(*row) for row in await cursor.fetchall()]
            plans = []
            for statement, values in (*select_sizes(entries), *select_bodies(entries), *select_items(entries)):
                cursor = await connection.execute(SQL("EXPLAIN ") + statement, values)
                plans.append("\n".join(row[0] for row in await cursor.fetchall()))
    assert len(plans) == 3
    for plan in plans:
        assert plan.count("Index Scan") == 3, plan
        assert "Seq Scan" not in plan


async def test_readers_of_the_log_leave_connections_to_others(database: str) -> None:
    """A crowd that comes back at once takes turns, and an answer over REST need not wait for all of it."""
    async with opened(database) as storage, trio.open_nursery() as nursery:
        claim = await storage.claims.claim("one")
        await storage.writer.write(batch(*of_every_kind(claim.epoch)))
        for _ in range(200):
            nursery.start_soon(read_all, storage)
        await trio.testing.wait_all_tasks_blocked()
        assert storage.readers.statistics().waiting == 0
