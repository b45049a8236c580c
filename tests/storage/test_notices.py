"""Notices in the commit: they have events and, of gaps, rows; they are fenced; and they move no checkpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from etl_actors.errors import EpochLost
from etl_actors.messages import Checkpoint, Transformed

from ..actors.parts import RECEIVED, transformed
from .opened import opened
from .test_commit import batch, count

READ = Checkpoint(fingerprint=b"f" * 16, etag='"7"', body_hash=b"h" * 32, cursor={"cursor": "41", "page": 3})


def notice(message_type: str, data: Any, **changes: Any) -> Transformed:
    """A notice as a connector sends it: with an empty checkpoint."""
    fields = {"kind": "notice", "message_type": message_type, "body": msgspec.json.encode(data), "items": ()}
    return transformed(**(fields | {"checkpoint": Checkpoint()} | changes))


def status(**changes: Any) -> Transformed:
    """A connector fails."""
    return notice("connector_status", {"state": "failing", "reason": "HTTP 500"}, **changes)


async def test_a_notice_leaves_the_checkpoint_where_the_last_answer_left_it(database: str) -> None:
    """Behind an answer in one batch, before one, and alone in a batch: cursor, ETag and hash stay."""
    async with opened(database) as storage:
        for order in ("behind", "before", "alone"):
            epoch = (await storage.claims.claim("one")).epoch
            answer, said = transformed(epoch=epoch, checkpoint=READ), status(epoch=epoch)
            parts = {"behind": (answer, said), "before": (said, answer), "alone": (said,)}[order]
            events = await storage.writer.write(batch(*parts))
            assert len(events) == len(parts)
            assert (await storage.claims.claim("one")).checkpoint == READ, order


async def test_the_next_claim_knows_what_was_told_last(database: str) -> None:
    """By whichever notice of a state came last, and not by gaps or answers."""
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        assert claim.told is None
        epoch = claim.epoch
        running = notice("connector_status", {"state": "running", "reason": None, "stale": False}, epoch=epoch)
        gap = notice("gap", {"key": "A"}, epoch=epoch)
        await storage.writer.write(batch(running, status(epoch=epoch), gap, transformed(epoch=epoch)))
        await storage.writer.write(batch(transformed(epoch=epoch)))
        assert (await storage.claims.claim("one")).told == {"state": "failing", "reason": "HTTP 500"}


async def test_a_notice_of_a_lost_epoch_is_refused(database: str) -> None:
    """Whoever lost a connector says nothing about it any more, alone in a batch too."""
    async with opened(database) as storage:
        mine = await storage.claims.claim("one")
        await storage.claims.claim("one")
        with pytest.raises(EpochLost) as lost:
            await storage.writer.write(batch(status(epoch=mine.epoch)))
    assert lost.value.connector_ids == {"one"}
    assert count(database, "SELECT count(*) FROM events") == 0


async def test_a_gap_is_a_row_and_an_event_of_one_commit(database: str) -> None:
    """The numbers are whole, beyond 64 bits signed too, and the row names its event."""
    most = 2**64 - 1
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        gap = notice("gap", {"key": "BTCUSDT", "from": most - 5, "to": most}, epoch=claim.epoch)
        unnumbered = notice("gap", {"key": "ETHUSDT"}, epoch=claim.epoch)
        event, *_ = await storage.writer.write(batch(gap, unnumbered, status(epoch=claim.epoch)))
    said = msgspec.json.decode(event.encoded)
    assert (said["type"], said["connector_id"], said["offset"]) == ("gap", "one", 1)
    assert said["data"] == {"key": "BTCUSDT", "from": most - 5, "to": most}
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT g.connector_id, g.key, g.first_missing, g.last_missing, g.timestamp, e.stream_offset"
            " FROM gaps AS g JOIN events AS e ON e.event_id = g.event_id ORDER BY e.stream_offset"
        ).fetchall()
    assert rows == [
        ("one", "BTCUSDT", most - 5, most, RECEIVED, 1),
        ("one", "ETHUSDT", None, None, RECEIVED, 2),
    ]
    assert count(database, "SELECT sum(rows) FROM row_counts WHERE table_name = 'gaps'") == 2


async def test_gaps_are_kept_as_long_as_events(database: str) -> None:
    """The partition of an old gap is dropped with its counts."""
    now = datetime.now(UTC)
    async with opened(database, events_days=2) as storage:
        claim = await storage.claims.claim("one")
        for age in (5, 0):
            at = now - timedelta(days=age)
            await storage.writer.write(batch(notice("gap", {"key": "A"}, epoch=claim.epoch, received_at=at)))
        await storage.retention.sweep(now)
    assert count(database, "SELECT count(*) FROM gaps") == 1
    assert count(database, "SELECT sum(rows) FROM row_counts WHERE table_name = 'gaps'") == 1
