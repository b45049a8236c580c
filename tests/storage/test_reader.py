"""What REST asks of the tables."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import psycopg
import pytest

from etl_actors.messages import Item
from etl_actors.paging import Page
from etl_actors.storage.opening import Storage
from etl_actors.wire import ItemRow

from ..actors.parts import RECEIVED, transformed
from .opened import opened
from .test_commit import batch

MINUTE = timedelta(minutes=1)


async def fill(storage: Storage, polls: int = 10, items: int = 7) -> None:
    """So many polls of connector "one", a minute apart, and one of "two"."""
    one, two = await storage.claims.claim("one"), await storage.claims.claim("two")
    for poll in range(polls):
        part = transformed(items=items, epoch=one.epoch, received_at=RECEIVED + poll * MINUTE)
        await storage.writer.write(batch(part))
    lower = Item(coin_symbol="btc", quote_symbol="USD", price="1")
    await storage.writer.write(batch(transformed("two", items=(lower,), epoch=two.epoch, exchange="coingecko")))


def ids(page: object) -> list[int]:
    """The ids of a page of items."""
    return [row["id"] for row in msgspec.json.decode(msgspec.json.encode(page.items))]  # type: ignore[attr-defined]


async def test_pages_by_keyset_hold_every_row_once_while_rows_are_added(database: str) -> None:
    """Both ways through the table, in the order that was asked for."""
    async with opened(database) as storage:
        await fill(storage)
        claim = await storage.claims.claim("one")
        for newest_first in (True, False):
            page = await storage.reader.items(Page(limit=9, newest_first=newest_first, connector_id="one"))
            found, total = ids(page), page.total.rows
            while page.next_key is not None:
                await storage.writer.write(
                    batch(transformed(items=3, epoch=claim.epoch, received_at=RECEIVED - MINUTE))
                )
                page = await storage.reader.items(
                    Page(limit=9, newest_first=newest_first, connector_id="one", after=page.next_key)
                )
                found += ids(page)
            assert len(set(found)) == len(found)
            assert len(found) >= total


async def test_a_symbol_is_found_whatever_its_case(database: str) -> None:
    """Stored in any case, asked in any case."""
    async with opened(database) as storage:
        await fill(storage)
        for symbol in ("btc", "BTC", "Btc"):
            page = await storage.reader.items(Page(symbol=symbol))
            assert (len(page.items), page.total.rows) == (1, 1)


async def test_filters_combine(database: str) -> None:
    """Connector, exchange and time, with the total of exactly that."""
    async with opened(database) as storage:
        await fill(storage)
        page = await storage.reader.items(
            Page(exchange="binance", since=RECEIVED + 2 * MINUTE, until=RECEIVED + 4 * MINUTE)
        )
        assert (len(page.items), page.total.rows, page.total.exact) == (14, 14, True)
        assert (await storage.reader.items(Page(exchange="kraken"))).total.rows == 0
        assert (await storage.reader.items(Page(exchange="coingecko"))).total.rows == 1


async def test_totals_without_filters_and_by_connector_are_kept_not_counted(database: str) -> None:
    """They are exact and equal what counting gives."""
    async with opened(database) as storage:
        await fill(storage)
        assert (await storage.reader.items(Page())).total.rows == 71
        assert (await storage.reader.items(Page(connector_id="one"))).total.rows == 70
        assert (await storage.reader.response_keys(Page(connector_id="one"))).total.rows == 10
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT count(*) FROM api_connector_items").fetchone()
        assert row == (71,)


async def test_a_count_beyond_the_bound_says_so_unless_asked_for(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``total_exact`` false, and ``count=exact`` counts all."""
    monkeypatch.setattr("etl_actors.storage.queries.COUNT_BOUND", 20)
    monkeypatch.setattr("etl_actors.storage.reader.COUNT_BOUND", 20)
    async with opened(database) as storage:
        await fill(storage)
        bounded = (await storage.reader.items(Page(exchange="binance"))).total
        exact = (await storage.reader.items(Page(exchange="binance", exact_total=True))).total
    assert (bounded.rows, bounded.exact) == (20, False)
    assert (exact.rows, exact.exact) == (70, True)


async def test_the_newest_item_of_each_pair_is_found_at_once(database: str) -> None:
    """One row a pair, the newest of it, in the order of the pairs; two coins that share a symbol are two."""
    async with opened(database) as storage:
        await fill(storage)
        claim = await storage.claims.claim("one")
        twins = tuple(Item(coin_symbol="SOL", coin_name=name, price="1") for name in ("Solana", "Wrapped Solana"))
        await storage.writer.write(batch(transformed(items=twins, epoch=claim.epoch)))
        rows, total = await storage.reader.latest_items("one", limit=100, offset=0)
        beyond, _ = await storage.reader.latest_items("one", limit=2, offset=8)
    latest = msgspec.json.decode(msgspec.json.encode(rows))
    assert total == len(latest) == 9
    assert {row["timestamp"] for row in latest if row["coin_symbol"] == "C3"} == {"2025-12-08T16:09:00Z"}
    assert sum(row["coin_symbol"] == "SOL" for row in latest) == 2
    assert len(beyond) == 1


async def test_the_newest_of_each_pair_come_in_slices_too(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pair once, in the same order, however small the slices; limit and offset count."""
    monkeypatch.setattr("etl_actors.storage.reader.EXPORT_ROWS", 3)
    async with opened(database) as storage:
        await fill(storage)
        rows, _ = await storage.reader.latest_items("one", limit=100, offset=0)

        async def sliced(limit: int, offset: int) -> list[list[ItemRow]]:
            slices = storage.reader.latest_item_slices("one", limit=limit, offset=offset)
            return [part async for part in slices]

        whole = await sliced(100, 0)
        some = await sliced(4, 2)
    assert [len(part) for part in whole] == [3, 3, 1]
    assert [row.id for part in whole for row in part] == [row.id for row in rows]
    assert [row.id for part in some for row in part] == [row.id for row in rows][2:6]


async def test_a_response_comes_back_with_its_offset_and_its_digits(database: str) -> None:
    """``response_data`` exactly as sent, and where it stands in the log."""
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        body = b'{"big": 42724884822537020000000.50, "tiny": 1E-10}'
        await storage.writer.write(batch(transformed(items=0, epoch=claim.epoch, body=body)))
        key = await storage.reader.latest_response_key("one")
        assert key is not None
        row = await storage.reader.response(key)
        assert await storage.reader.latest_response_key("two") is None
    assert row is not None
    assert row.stream_offset == 1
    assert b"42724884822537020000000.50" in msgspec.json.encode(row)
