"""Rejected payloads: found, dropped, and replaced by what they could be mapped to, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from uuid_utils.compat import uuid7

from etl_actors.errors import ReplaysLost, StorageUnavailable
from etl_actors.messages import UNOWNED, Item, Rejected, RejectedKey, Transformed
from etl_actors.paging import Page
from etl_actors.storage.opening import Storage

from ..actors.parts import RECEIVED, transformed
from .opened import opened
from .relay import open_relay
from .test_commit import batch, count

MINUTE = timedelta(minutes=1)
KEPT = "SELECT coalesce(sum(rows), 0)::bigint FROM row_counts WHERE table_name = 'rejected'"


def refused(raw: bytes, *, minutes: int = 0, connector_id: str = "one", **changes: Any) -> Rejected:
    """A rejected element."""
    fields: dict[str, Any] = {
        "connector_id": connector_id,
        "received_at": RECEIVED + minutes * MINUTE,
        "raw": raw,
        "reason": "no price",
        "where": "element 3, price",
        "kind": "element",
        "position": 3,
        "response_time_ms": 12,
        "fingerprint": b"f" * 16,
    }
    return Rejected(**(fields | changes))


async def reject(storage: Storage, *some: Rejected) -> None:
    """Store these, each as the loader stores it."""
    for one in some:
        part = transformed(
            one.connector_id,
            items=(),
            epoch=UNOWNED,
            rejected=(one,),
            received_at=one.received_at,
            store_response=False,
        )
        await storage.writer.write(batch(part))


def replayed(key: RejectedKey, **changes: Any) -> Transformed:
    """What a rejected element becomes."""
    item = Item(coin_symbol="BTC", price="1.50")
    return transformed(items=(item,), epoch=UNOWNED, received_at=key[0], kind="element", replays=key, **changes)


async def test_they_are_listed_newest_first_and_page_by_page(database: str) -> None:
    """With everything that is remembered, filters, and a total; pages hold every one once."""
    async with opened(database) as storage:
        await reject(storage, *(refused(b"%d" % minutes, minutes=minutes) for minutes in range(5)))
        await reject(storage, refused(b"x", connector_id="two", kind="response", where="", position=None))
        first = await storage.rejected.page(Page(limit=2, connector_id="one"))
        assert (first.total.rows, len(first.rejected)) == (5, 2)
        rest = await storage.rejected.page(Page(limit=9, connector_id="one", after=first.next_key))
        found = [*first.rejected, *rest.rejected]
        assert [one.received_at for one in found] == [RECEIVED + minutes * MINUTE for minutes in (4, 3, 2, 1, 0)]
        assert rest.next_key is None
        one = found[0]
        assert (one.kind, one.position, one.response_time_ms, one.fingerprint) == ("element", 3, 12, b"f" * 16)
        assert (one.where, one.reason, one.size) == ("element 3, price", "no price", 1)
        later = await storage.rejected.page(Page(since=RECEIVED + 2 * MINUTE, until=RECEIVED + 4 * MINUTE))
        assert (later.total.rows, len(later.rejected)) == (2, 2)
        assert await storage.rejected.one(one.id) == one
        assert await storage.rejected.one(10**18) is None


async def test_raw_bytes_are_read_in_pieces(database: str) -> None:
    """Whatever they are."""
    raw = bytes(range(256)) * 10_000
    async with opened(database) as storage:
        await reject(storage, refused(raw))
        (one,) = (await storage.rejected.page(Page())).rejected
        pieces = [piece async for piece in storage.rejected.raw_slices(one)]
        assert (len(pieces), b"".join(pieces)) == (3, raw)
        assert await storage.rejected.raw(one, first=255, size=2) == b"\xff\x00"


async def test_a_backlog_is_read_some_bytes_at_a_time(database: str) -> None:
    """Oldest first; one that is larger alone comes alone, and what is added meanwhile does not come at all."""
    async with opened(database) as storage:
        await reject(storage, refused(b"a" * 60), refused(b"b" * 60, minutes=1), refused(b"c" * 500, minutes=2))
        newest = await storage.rejected.newest_id()
        await reject(storage, refused(b"late"))
        page, sizes = Page(newest_first=False, limit=9), []
        while some := await storage.rejected.whole(page, newest_id=newest, max_bytes=130):
            sizes.append([len(raw) for _, raw in some])
            page = Page(newest_first=False, limit=9, after=some[-1][0].key)
        assert sizes == [[60, 60], [500]]


async def test_what_is_dropped_is_gone_with_its_count(database: str) -> None:
    """One by its id, or all that match, some at a time."""
    async with opened(database) as storage:
        await reject(storage, *(refused(b"x", minutes=minutes) for minutes in range(6)))
        await reject(storage, refused(b"x", connector_id="two"))
        one = (await storage.rejected.page(Page(limit=1))).rejected[0]
        assert await storage.rejected.drop(one.id)
        assert not await storage.rejected.drop(one.id)
        wanted = Page(connector_id="one", since=RECEIVED + MINUTE, limit=3, newest_first=False)
        assert [await storage.rejected.drop_some(wanted) for _ in range(3)] == [3, 1, 0]
        left = (await storage.rejected.page(Page())).rejected
        assert [(one.connector_id, one.received_at) for one in left] == [("two", RECEIVED), ("one", RECEIVED)]
    assert count(database, KEPT) == 2


async def test_a_replay_is_stored_in_place_of_what_was_rejected(database: str) -> None:
    """One commit: the item with its old time, an event without a body, and the rejected one gone with its count."""
    async with opened(database) as storage:
        await reject(storage, refused(b"x"), refused(b"y"))
        one = (await storage.rejected.page(Page(limit=1))).rejected[0]
        (event,) = await storage.writer.write(batch(replayed(one.key)))
        assert (event.type, event.timestamp, len(event.items)) == ("price_update", RECEIVED, 1)
        assert (await storage.rejected.page(Page())).total.rows == 1
        assert await storage.log.after(0, limit=9, max_bytes=10**6) == [event]
    assert count(database, "SELECT count(*) FROM api_connector_data") == 0
    assert count(database, KEPT) == 1


async def test_a_replay_is_never_stored_twice(database: str) -> None:
    """Neither a second one nor two in one batch, and of a batch that is refused for it nothing is stored."""
    async with opened(database) as storage:
        await reject(storage, refused(b"x"))
        (one,) = (await storage.rejected.page(Page())).rejected
        first, second = replayed(one.key), replayed(one.key)
        with pytest.raises(ReplaysLost) as lost:
            await storage.writer.write(batch(first, second))
        assert lost.value.extraction_ids == {second.extraction_id}
        await storage.writer.write(batch(first))
        with pytest.raises(ReplaysLost) as lost:
            await storage.writer.write(batch(transformed(epoch=UNOWNED), second))
        assert lost.value.extraction_ids == {second.extraction_id}
    assert count(database, "SELECT count(*) FROM api_connector_items") == 1
    assert count(database, "SELECT head FROM stream") == 1


async def test_a_lost_answer_to_the_commit_of_a_replay_is_read_back(database: str) -> None:
    """The same batch comes again: it is known, and the rejected row that is gone is no trouble."""
    async with opened(database) as direct:
        await reject(direct, refused(b"x"))
        (one,) = (await direct.rejected.page(Page())).rejected
    async with open_relay(database) as door, opened(door.conninfo) as storage:
        # The first one makes partitions, and commits these on its way.
        await storage.writer.write(batch(transformed(epoch=UNOWNED, items=1)))
        again = batch(replayed(one.key))
        door.cut_on = b"COMMIT"
        with pytest.raises(StorageUnavailable):
            await storage.writer.write(again)
        assert count(database, "SELECT head FROM stream") == 2
        (event,) = await storage.writer.write(again)
    assert event.offset == 2
    assert count(database, "SELECT count(*) FROM api_connector_items") == 2


async def test_rows_from_before_are_there_all_the_same(database: str) -> None:
    """What nobody remembered is None."""
    async with opened(database) as storage:
        await reject(storage, refused(b"x"))
        with psycopg.connect(database) as connection:
            connection.execute("UPDATE rejected SET kind = NULL, position = NULL, fingerprint = NULL")
        (one,) = (await storage.rejected.page(Page())).rejected
        assert (one.kind, one.position, one.fingerprint, one.where) == (None, None, None, "element 3, price")


async def test_a_time_that_retention_took_is_known(database: str) -> None:
    """What lies before the oldest partition."""
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        await storage.writer.write(batch(transformed(epoch=claim.epoch, extraction_id=uuid7())))
        assert not storage.rejected.is_past(RECEIVED)
        assert storage.rejected.is_past(RECEIVED - timedelta(days=2))
