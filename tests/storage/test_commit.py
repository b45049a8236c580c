"""The commit: once, fenced, in order, without holes, whatever happens to whoever commits."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from typing import Any

import msgspec
import psycopg
import pytest
import trio
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from etl_actors.errors import EpochLost, StorageRefused, StorageUnavailable
from etl_actors.messages import Batch, Checkpoint, Item, Rejected, Transformed
from etl_actors.paging import Page
from etl_actors.storage.opening import Storage

from ..actors.parts import RECEIVED, transformed
from ..child import ROOT
from .opened import opened
from .relay import open_relay


def batch(*parts: Transformed) -> Batch:
    """A batch of these parts."""
    return Batch(batch_id=uuid7(), parts=parts, left_by="size")


def count(database: str, query: str) -> Any:
    """One value, read by a plain client."""
    with psycopg.connect(database) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


async def test_a_batch_is_stored_with_its_state_and_its_place_in_the_log(database: str) -> None:
    """Responses, items, rejected payloads, the connector's state and the events are one transaction."""
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        refused = Rejected(connector_id="one", received_at=RECEIVED, raw=b"\x00\xff", reason="no", where="element 3")
        part = transformed(epoch=claim.epoch, rejected=(refused,))
        (event,) = await storage.writer.write(batch(part))
        again = await storage.claims.claim("one")
    assert (event.offset, event.event_id, event.type) == (1, part.extraction_id, "price_update")
    assert again.epoch == claim.epoch + 1
    assert again.checkpoint == part.checkpoint
    assert count(database, "SELECT raw FROM rejected") == b"\x00\xff"
    assert count(database, "SELECT response_data->0->>'price' FROM api_connector_data") == "95000.50"


async def test_numbers_keep_every_digit(database: str) -> None:
    """From the provider's text to NUMERIC to JSON, live and over REST."""
    price, cap = "95000.50", "0." + "0" * 60 + "123456789012345678901234567890"
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        item = Item(coin_symbol="BTC", price=price, market_cap=cap, volume_24h="9" * 40, price_change_24h="-0.00")
        (event,) = await storage.writer.write(batch(transformed(epoch=claim.epoch, items=(item,))))
        page = await storage.reader.items(Page())
    for encoded in (event.encoded, msgspec.json.encode(page.items)):
        text = encoded.decode()
        assert f'"price":{price}' in text
        assert f'"market_cap":{cap}' in text
        assert f'"volume_24h":{"9" * 40}' in text


async def test_what_is_sent_live_is_what_rest_answers(database: str) -> None:
    """The same rows, ids and times."""
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        (event,) = await storage.writer.write(batch(transformed(items=3, epoch=claim.epoch)))
        page = await storage.reader.items(Page(newest_first=False))
    live = msgspec.json.decode(event.encoded)["data"]["items"]
    assert live == msgspec.json.decode(msgspec.json.encode(page.items))


async def test_a_batch_that_comes_again_is_stored_once(database: str) -> None:
    """The answer to its COMMIT was lost: the second time its offsets and ids are read back."""
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        twice = batch(*(transformed(items=40, epoch=claim.epoch) for _ in range(60)))
        first = await storage.writer.write(twice)
        other = await storage.writer.write(batch(transformed(epoch=claim.epoch)))
        second = await storage.writer.write(twice)
    assert second == first
    assert other[0].offset == 61
    assert count(database, "SELECT count(*) FROM api_connector_items") == 60 * 40 + 2


async def test_batches_stored_together_are_each_stored_once(database: str) -> None:
    """In whatever company one comes again: what is known is read back, and what is new follows it."""
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        first, second, third = (batch(*(transformed(epoch=claim.epoch) for _ in range(2))) for _ in range(3))
        told = await storage.writer.write(first, second)
        again = await storage.writer.write(second, third)
    assert [event.event_id for event in told] == [part.extraction_id for part in first.parts + second.parts]
    assert [event.offset for event in told] == [1, 2, 3, 4]
    assert again[:2] == told[2:]
    assert [event.event_id for event in again[2:]] == [part.extraction_id for part in third.parts]
    assert [event.offset for event in again[2:]] == [5, 6]
    assert count(database, "SELECT count(*) FROM api_connector_items") == 6 * 2
    assert count(database, "SELECT count(*) FROM batches") == 3


async def test_a_lost_answer_to_commit_is_no_lost_and_no_double_batch(database: str) -> None:
    """The connection is cut between the server's COMMIT and its answer; the loader writes the same batch again."""
    async with opened(database) as direct:
        claim = await direct.claims.claim("one")
    async with open_relay(database) as door, opened(door.conninfo) as storage:
        # The first one makes partitions, and commits these on its way.
        await storage.writer.write(batch(transformed(items=1, epoch=claim.epoch)))
        part = batch(transformed(items=5, epoch=claim.epoch))
        door.cut_on = b"COMMIT"
        with pytest.raises(StorageUnavailable):
            await storage.writer.write(part)
        (event,) = await storage.writer.write(part)
        assert door.cuts == 1
    assert event.offset == 2
    assert count(database, "SELECT count(*) FROM api_connector_items") == 1 + 5
    assert count(database, "SELECT head FROM stream") == 2


@pytest.mark.parametrize("said", [b"95000.50", b"COMMIT"], ids=["in a COPY", "with its end"])
async def test_a_line_that_goes_dead_holds_up_nobody(database: str, said: bytes) -> None:
    """The server waits for what never comes, and no timeout ends that. Others commit meanwhile, and the same batch is
    stored as soon as it is tried again.
    """
    async with opened(database) as direct, open_relay(database) as door, opened(door.conninfo) as storage:
        one, two = await direct.claims.claim("one"), await direct.claims.claim("two")
        await storage.writer.write(batch(transformed(epoch=one.epoch)))
        part = batch(transformed(items=5, epoch=one.epoch))
        door.cut_on, door.early, door.silent = said, True, True
        with trio.move_on_after(1) as silence:
            await storage.writer.write(part)
        assert silence.cancelled_caught
        with trio.fail_after(2):
            (event,) = await direct.writer.write(batch(transformed("two", epoch=two.epoch)))
            (again,) = await storage.writer.write(part)
    assert (event.offset, again.offset) == (2, 3)
    assert count(database, "SELECT count(*) FROM api_connector_items") == 2 + 2 + 5


async def test_refusals_leave_a_connection_that_can_commit(database: str) -> None:
    """However many commits came before, so also when the driver would have begun to prepare its statements."""
    async with opened(database) as storage:
        stale, claim = await storage.claims.claim("one"), await storage.claims.claim("one")
        for _ in range(12):
            with pytest.raises(EpochLost):
                await storage.writer.write(batch(transformed(epoch=stale.epoch)))
            assert len(await storage.writer.write(batch(transformed(epoch=claim.epoch)))) == 1


async def test_a_stale_epoch_is_refused_and_names_the_connector(database: str) -> None:
    """Whoever lost a connector cannot write for it any more; the rest of the batch can be repeated."""
    async with opened(database) as storage:
        mine, other = await storage.claims.claim("one"), await storage.claims.claim("two")
        await storage.claims.claim("one")
        stale = batch(transformed("one", epoch=mine.epoch), transformed("two", epoch=other.epoch))
        with pytest.raises(EpochLost) as lost:
            await storage.writer.write(stale)
        assert lost.value.connector_ids == {"one"}
        assert count(database, "SELECT count(*) FROM api_connector_items") == 0
        (event,) = await storage.writer.write(replace(stale, parts=stale.parts[1:]))
    assert event.offset == 1


async def test_two_writers_at_once_leave_no_hole_and_no_disorder(database: str) -> None:
    """Offsets are 1..n, each writer's rise in its own order, and a reader never sees one before a smaller one."""
    async with opened(database) as first, opened(database) as second:
        offsets: list[list[int]] = [[], []]
        seen: list[int] = []

        async def write(storage: Storage, connector_id: str, into: list[int]) -> None:
            claim = await storage.claims.claim(connector_id)
            for _ in range(30):
                events = await storage.writer.write(
                    batch(*(transformed(connector_id, items=20, epoch=claim.epoch) for _ in range(3)))
                )
                into.extend(event.offset for event in events)

        async def follow() -> None:
            async with first.writers.connection() as connection:
                while len(seen) < 180:
                    cursor = await connection.execute(
                        "SELECT stream_offset FROM events WHERE stream_offset > %s ORDER BY 1",
                        (seen[-1] if seen else 0,),
                    )
                    seen.extend(row[0] for row in await cursor.fetchall())

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(follow)
                nursery.start_soon(write, first, "one", offsets[0])
                nursery.start_soon(write, second, "two", offsets[1])
    assert sorted(offsets[0] + offsets[1]) == list(range(1, 181))
    assert offsets[0] == sorted(offsets[0])
    assert offsets[1] == sorted(offsets[1])
    assert seen == list(range(1, 181))


async def test_a_value_that_cannot_be_stored_leaves_nothing_behind(database: str) -> None:
    """Neither rows nor a hole in the offsets."""
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        with pytest.raises(StorageRefused):
            await storage.writer.write(batch(transformed(epoch=claim.epoch, body=b'"\\u0000"')))
        assert count(database, "SELECT count(*) FROM batches") == 0
        (event,) = await storage.writer.write(batch(transformed(epoch=claim.epoch)))
    assert event.offset == 1


FROZEN = """
    import os, sys, signal, trio
    sys.path.append(sys.argv[2])
    from etl_actors.storage import writer
    from tests.storage.opened import opened
    from tests.storage.test_commit import batch, transformed

    async def main():
        async with opened(sys.argv[1]) as storage:
            claim = await storage.claims.claim("one")
            execute = writer.AsyncConnection.execute

            async def finish(self, connection, stored, gone, now):
                arguments = (writer._json(writer.states(stored)), "[]", "[]",
                             writer._json(writer.entries(stored)), now)
                await connection.execute("SELECT finish_batch(%s, %s, %s, %s, %s)", arguments)
                print("holding", flush=True)
                os.kill(os.getpid(), signal.SIGSTOP)

            writer.BatchWriter._finish = finish
            await storage.writer.write(batch(transformed(epoch=claim.epoch)))

    trio.run(main)
"""


def start_frozen_writer(database: str) -> subprocess.Popen[bytes]:
    """A process that stops itself between its last statement and COMMIT; says "holding" just before."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", textwrap.dedent(FROZEN), database, str(ROOT)], stdout=subprocess.PIPE
    )


async def test_a_writer_frozen_before_commit_gives_its_locks_back(database: str) -> None:
    """Stopped between its last statement and COMMIT, it holds the stream's row for four seconds at most."""
    process = start_frozen_writer(database)
    try:
        assert process.stdout is not None
        assert await trio.to_thread.run_sync(process.stdout.readline) == b"holding\n"
        async with opened(database) as storage:
            claim = await storage.claims.claim("two")
            with trio.fail_after(8):
                (event,) = await storage.writer.write(batch(transformed("two", epoch=claim.epoch)))
        assert event.offset == 1
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    assert count(database, "SELECT count(*) FROM api_connector_items WHERE connector_id = 'one'") == 0


async def test_a_checkpoint_of_nothing_is_kept_as_nothing(database: str) -> None:
    """A connector that never knew an ETag does not invent one."""
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        assert claim.checkpoint == Checkpoint()
        await storage.writer.write(batch(transformed(epoch=claim.epoch, checkpoint=Checkpoint(cursor={"page": 2}))))
        assert (await storage.claims.claim("one")).checkpoint == Checkpoint(cursor={"page": 2})


async def test_services_that_start_together_migrate_once(database: str) -> None:
    """They take turns, and both find the whole schema."""

    async def start() -> None:
        async with opened(database) as storage:
            await storage.reader.stream()

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(start)
    assert count(database, "SELECT count(*) = count(DISTINCT version) FROM schema_migrations")
