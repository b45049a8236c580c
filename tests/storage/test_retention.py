"""Partitions are made and dropped on a real server, and what hangs on them goes with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import trio

from etl_actors.paging import Page

from ..actors.parts import transformed
from .opened import opened
from .test_commit import batch

DAY = timedelta(days=1)


async def test_what_is_too_old_goes_with_its_counts_and_its_newest_items(database: str) -> None:
    """Totals stay exact and no page points to a row that is gone."""
    now = datetime.now(UTC)
    async with opened(database, items_days=7, responses_days=2) as storage:
        claim = await storage.claims.claim("one")
        for age in (10, 5, 0):
            await storage.writer.write(batch(transformed(items=4, epoch=claim.epoch, received_at=now - age * DAY)))
        await storage.retention.sweep(now)
        items = await storage.reader.items(Page())
        responses = await storage.reader.response_keys(Page())
        latest, _ = await storage.reader.latest_items("one", limit=10, offset=0)
    assert (items.total.rows, len(items.items)) == (8, 8)
    assert (responses.total.rows, len(responses.keys)) == (1, 1)
    assert len(latest) == 4


async def test_over_the_cap_the_oldest_goes_first(database: str) -> None:
    """However young it is; the newest stays."""
    now = datetime.now(UTC)
    async with opened(database, max_bytes=400_000) as storage:
        claim = await storage.claims.claim("one")
        for age in range(20, -1, -1):
            received = now - timedelta(minutes=age)
            await storage.writer.write(batch(transformed(items=500, epoch=claim.epoch, received_at=received)))
        stored = await storage.retention.sweep(now)
        page = await storage.reader.items(Page(limit=1))
    assert stored < 1_000_000
    assert 500 <= page.total.rows < 21 * 500
    assert page.items


async def test_readers_are_not_held_up_by_a_drop(database: str) -> None:
    """A long reader keeps its rows; a new reader does not wait for it."""
    now = datetime.now(UTC)
    async with opened(database, items_days=1) as storage, trio.open_nursery() as nursery:
        claim = await storage.claims.claim("one")
        await storage.writer.write(batch(transformed(items=4, epoch=claim.epoch, received_at=now - 5 * DAY)))
        await storage.writer.write(batch(transformed(items=4, epoch=claim.epoch, received_at=now)))
        async with storage.writers.connection() as long_reader:
            await long_reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            await long_reader.execute("SELECT count(*) FROM api_connector_items")
            nursery.start_soon(storage.retention.sweep, now)
            await trio.sleep(0.3)
            with trio.fail_after(2):
                assert len((await storage.reader.items(Page())).items) >= 4
            cursor = await long_reader.execute("SELECT count(*) FROM api_connector_items")
            assert await cursor.fetchone() == (8,)
            await long_reader.execute("COMMIT")
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM api_connector_items").fetchone() == (4,)


async def test_a_drop_that_was_interrupted_is_finished_at_the_next_start(database: str) -> None:
    """A partition that was detached but not dropped does not stay for ever."""
    now = datetime.now(UTC)
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        await storage.writer.write(batch(transformed(items=4, epoch=claim.epoch, received_at=now - 5 * DAY)))
        await storage.writer.write(batch(transformed(items=4, epoch=claim.epoch, received_at=now)))
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute(
            "SELECT min(relid::text) FROM pg_partition_tree('api_connector_items') WHERE isleaf"
        ).fetchone()
        assert row is not None
        connection.execute(f"ALTER TABLE api_connector_items DETACH PARTITION {row[0]} CONCURRENTLY".encode())
    async with opened(database) as storage:
        assert (await storage.reader.items(Page())).total.rows == 4
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT to_regclass(%s)", (row[0],)).fetchone() == (None,)
