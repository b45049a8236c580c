"""The commit: one transaction stores a batch, and everything that must be true later is decided in it.

1. *Once*: the batch's id is inserted; when it is there already, this batch is stored and only its offsets are read.
   What waited on disk comes several batches at a time, each with its own id: they may meet in other company again.
2. *Rows*: COPY, stamped with the time they were received; the rejected payloads that are replayed go.
3. *Fence, state, offset*: one server-side call (``migrations/0002_commit.sql``), in one message with COMMIT.

No row lock is held while rows are copied, and none while the server waits for its client: what takes the locks and what
gives them back arrive together or not at all. A client that freezes, or whose line goes dead, holds up nobody but who
comes with the same batch; that is we ourselves, and we end the session that we left behind first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import trio
from psycopg import AsyncConnection

from ..errors import EpochLost, StorageRefused, StorageUnavailable
from ..messages import Batch, Event, Transformed, Unstored
from .bookkeeping import counts, entries, latest, states
from .ids import IdBlocks
from .left_behind import LeftBehind
from .partitions import PartitionBook
from .pool import Pool
from .published import encode_events, encode_unstored
from .refused import find_refused
from .rejected_removal import Gone, take_replayed
from .rows import Stored, copy_rows, rows_by_table
from .translation import refusal_reason, translated

_EPOCH_LOST = "EA001"
# What the last call is told, for the length of the transaction; then that call, which has no parameters.
_SAY = """
SELECT set_config('etl_actors.states', %s, true), set_config('etl_actors.counts', %s, true),
    set_config('etl_actors.latest', %s, true), set_config('etl_actors.entries', %s, true),
    set_config('etl_actors.at', %s, true)
"""
_FINISH_AND_COMMIT = """
SELECT finish_batch(
    current_setting('etl_actors.states')::jsonb, current_setting('etl_actors.counts')::jsonb,
    current_setting('etl_actors.latest')::jsonb, current_setting('etl_actors.entries')::jsonb,
    current_setting('etl_actors.at')::timestamptz
);
COMMIT
"""
# What is told of more is worked out in a thread.
_MANY_ITEMS = 5_000


class BatchWriter:
    """Stores batches. One writer may be used by one loader at a time."""

    def __init__(self, pool: Pool, partitions: PartitionBook) -> None:
        self._pool = pool
        self._partitions = partitions
        self._left_behind = LeftBehind()
        self._response_ids = IdBlocks("api_connector_data_id_seq", 100)
        self._frame_ids = IdBlocks("websocket_data_id_seq", 100)
        self._item_ids = IdBlocks("api_connector_items_id_seq", 1000)

    async def write(self, *batches: Batch) -> tuple[Event, ...]:
        """Commit ``batches`` together; returns their events in the order of their offsets.

        Raises :class:`StorageUnavailable` (nothing is decided: write the same again), :class:`EpochLost` (write it
        again without those connectors), :class:`ReplaysLost` (without those parts) or :class:`StorageRefused` (a value
        that cannot be stored).
        """
        # How long it may take is for whoever asks to say.
        async with self._pool.connection(loan_seconds=math.inf) as connection, self._left_behind.watched(connection):
            try:
                with translated():
                    return await self._write(connection, batches)
            except psycopg.errors.CheckViolation:
                # A partition that we believed in was dropped meanwhile; the next attempt makes it again.
                await self._partitions.refresh(connection)
                raise StorageUnavailable("a partition was dropped while it was written to") from None

    async def unstored(self, parts: Sequence[Transformed]) -> tuple[Unstored, ...]:
        """What subscribers are sent of ``parts`` while they cannot be stored."""
        return await encode_unstored(parts)

    async def refused_items(self, part: Transformed, *, copies: int) -> dict[int, str] | None:
        """Which items of ``part`` cannot be stored, by their place, and why; nothing is stored.

        None when that many COPYs were not enough to tell. Raises :class:`StorageUnavailable`.
        """
        async with self._pool.connection(loan_seconds=math.inf) as connection:
            with translated():
                await self._partitions.ensure(connection, "api_connector_items", [part.received_at])
                item_ids = await self._item_ids.take(connection, len(part.items))
                return await find_refused(connection, Stored(part, None, item_ids), copies=copies)

    async def _write(self, connection: AsyncConnection[Any], batches: Sequence[Batch]) -> tuple[Event, ...]:
        now = datetime.now(UTC)
        parts = [part for batch in batches for part in batch.parts]
        await self._make_partitions(connection, parts, now)
        stored = [
            Stored(
                part=part,
                row_id=await self._row_id(connection, part),
                item_ids=await self._item_ids.take(connection, len(part.items)),
            )
            for part in parts
        ]
        try:
            await connection.execute("BEGIN")
            new = await _written_down(connection, batches)
            known = [batch for batch in batches if batch.batch_id not in new]
            if known:
                await connection.execute("ROLLBACK")
            else:
                await copy_rows(connection, stored)
                gone = await take_replayed(connection, [part for part in parts if part.replays is not None])
                first = await self._finish(connection, stored, gone, now)
        except psycopg.Error as error:
            await _roll_back(connection)
            raise _meaning(error) from error
        except BaseException:
            await _roll_back(connection)
            raise
        if known:
            # What is stored already was stored before the others: its offsets are the lower ones.
            events = await self._recall(connection, [part for batch in known for part in batch.parts])
            rest = [batch for batch in batches if batch.batch_id in new]
            return events + (await self._write(connection, rest) if rest else ())
        return await encode_events(stored, first)

    async def _row_id(self, connection: AsyncConnection[Any], part: Transformed) -> int | None:
        if not part.has_body:
            return None
        ids = self._response_ids if part.kind == "response" else self._frame_ids
        return (await ids.take(connection, 1))[0]

    async def _make_partitions(
        self, connection: AsyncConnection[Any], parts: Sequence[Transformed], now: datetime
    ) -> None:
        wanted: dict[str, set[datetime]] = {"events": {now}}
        for part in parts:
            for table, rows in rows_by_table(part).items():
                if rows:
                    wanted.setdefault(table, set()).add(part.received_at)
        for table, times in wanted.items():
            await self._partitions.ensure(connection, table, times)

    async def _finish(
        self, connection: AsyncConnection[Any], stored: Sequence[Stored], gone: Gone, now: datetime
    ) -> int:
        def told() -> tuple[str, ...]:
            return (
                _json(states(stored)),
                _json(counts(stored, self._partitions.start_of, gone)),
                _json(latest(stored)),
                _json(entries(stored)),
            )

        many = sum(len(one.item_ids) for one in stored) > _MANY_ITEMS
        arguments = (*(await trio.to_thread.run_sync(told) if many else told()), now.isoformat())
        await connection.execute(_SAY, arguments)
        # One message: a second one the server would await with every lock held, and without end, since a session that
        # waits in the middle of a pipeline is not idle. It has no room for parameters, so they were said before.
        cursor = await connection.execute(_FINISH_AND_COMMIT, prepare=False)
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def _recall(self, connection: AsyncConnection[Any], parts: Sequence[Transformed]) -> tuple[Event, ...]:
        """These are stored already (the answer to their COMMIT was lost): read which ids and offsets they got."""
        cursor = await connection.execute(
            "SELECT event_id, stream_offset, coalesce(response_id, frame_id), first_item, last_item FROM events"
            " WHERE event_id = ANY(%s)",
            ([part.extraction_id for part in parts],),
        )
        found = {row[0]: row[1:] for row in await cursor.fetchall()}
        stored: list[tuple[int, Stored]] = []
        for part in parts:
            if part.extraction_id in found:
                offset, row_id, first, last = found[part.extraction_id]
                ids = await _ids_between(connection, part, first, last) if part.items else []
                stored.append((offset, Stored(part=part, row_id=row_id, item_ids=ids)))
        events: list[Event] = []
        for offset, one in sorted(stored, key=lambda pair: pair[0]):
            events.extend(await encode_events([one], offset))
        return tuple(events)


def _json(values: Sequence[object]) -> str:
    # One by one: a single call holds the interpreter for as long as it takes, from a thread as well.
    return "[" + ",".join([msgspec.json.encode(value).decode() for value in values]) + "]"


async def _written_down(connection: AsyncConnection[Any], batches: Sequence[Batch]) -> set[UUID]:
    """The ids of those of ``batches`` that are not stored yet; they are from now on."""
    cursor = await connection.execute(
        "INSERT INTO batches (batch_id) SELECT unnest(%s::uuid[]) ON CONFLICT DO NOTHING RETURNING batch_id",
        ([batch.batch_id for batch in batches],),
    )
    return {row[0] for row in await cursor.fetchall()}


async def _roll_back(connection: AsyncConnection[Any]) -> None:
    with trio.CancelScope(shield=True), trio.move_on_after(5), suppress(psycopg.Error):
        await connection.execute("ROLLBACK")


def _meaning(error: psycopg.Error) -> Exception:
    if error.sqlstate == _EPOCH_LOST:
        return EpochLost(frozenset(msgspec.json.decode(error.diag.message_detail or "[]", type=list[str])))
    if isinstance(error, psycopg.errors.CheckViolation):
        return error
    if isinstance(error, psycopg.DataError | psycopg.errors.ProgramLimitExceeded):
        return StorageRefused(refusal_reason(error))
    return error


async def _ids_between(connection: AsyncConnection[Any], part: Transformed, first: int, last: int) -> list[int]:
    cursor = await connection.execute(
        "SELECT id FROM api_connector_items WHERE connector_id = %s AND timestamp = %s AND id BETWEEN %s AND %s"
        " ORDER BY id",
        (part.connector_id, part.received_at, first, last),
    )
    return [row[0] for row in await cursor.fetchall()]
