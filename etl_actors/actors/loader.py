"""The loader: collects what the transformer says into batches, has each committed, and says what was committed.

It is the only one that writes data. What it holds must not be lost, so trouble with storage is not a crash: while
PostgreSQL is away the same batch is tried again, a batch with connectors that belong to somebody else by now is tried
again without them, and a value that PostgreSQL will never take is searched for: by halving the batch, until the one
extraction that holds it is found; then among its items, so that each bad one is kept as rejected and the others are
stored. When that takes too long, or it is none of the items, the extraction is kept as rejected whole.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Protocol, TypeVar
from uuid import UUID

import msgspec
import structlog
import trio
from msgspec import Struct
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from ..errors import EpochLost, ReplaysLost, StorageRefused, StorageUnavailable
from ..messages import Batch, Event, Loaded, Transformed
from .batch import BatchBuilder
from .refusing import rejected_whole, without_items

log = structlog.get_logger("loader")

T = TypeVar("T")

# How often the items of one extraction may be copied on trial until the bad ones among them are known.
MAX_COPIES = 64


class Writer(Protocol):
    """Commits a batch once, however often it is asked to; returns its events in the order of their offsets.

    Of what cannot be stored, ``refused_items`` finds the items that are to blame, within a budget.
    """

    async def write(self, batch: Batch) -> tuple[Event, ...]: ...
    async def refused_items(self, part: Transformed, *, copies: int) -> dict[int, str] | None: ...


class Ledger(Protocol):
    """Is told what became of each extraction; without an event, there is none in the log."""

    def settle(self, extraction_id: UUID, event: Event | None, /) -> None: ...


class LoaderStatistics(Struct, frozen=True, kw_only=True):
    """What the loader did so far. ``waiting_seconds`` is how long the batch in its hand has been waiting."""

    batches: int
    rows: int
    refused: int
    head: int
    waiting_seconds: float
    last_error: str | None


class Loader:
    """Batches, commits, reports.

    ``on_epoch_lost`` is told which connectors were taken over, and the epoch of each that was lost: it ends their
    actors. ``encode`` makes JSON of an element of an answer.
    """

    def __init__(
        self,
        writer: Writer,
        *,
        max_batch_rows: int,
        max_batch_age_seconds: float,
        on_epoch_lost: Callable[[dict[str, int]], None],
        ledger: Ledger | None = None,
        encode: Callable[[Any], bytes] = msgspec.json.encode,
    ) -> None:
        self._writer = writer
        self._max_batch_rows = max_batch_rows
        self._max_batch_age_seconds = max_batch_age_seconds
        self._on_epoch_lost = on_epoch_lost
        self._ledger = ledger
        self._encode = encode
        self._batches = self._rows = self._refused = self._head = 0
        self._waiting_since: float | None = None
        self._last_error: str | None = None

    def statistics(self) -> LoaderStatistics:
        """A snapshot."""
        waiting = 0.0 if self._waiting_since is None else trio.current_time() - self._waiting_since
        return LoaderStatistics(
            batches=self._batches,
            rows=self._rows,
            refused=self._refused,
            head=self._head,
            waiting_seconds=waiting,
            last_error=self._last_error,
        )

    async def run(
        self,
        transformed_receive: trio.MemoryReceiveChannel[Transformed],
        loaded_send: trio.MemorySendChannel[Loaded],
    ) -> None:
        """Until the input ends: batches leave by size, by age, and at the end what is left."""
        builder = BatchBuilder(max_rows=self._max_batch_rows, max_age_seconds=self._max_batch_age_seconds)
        async with transformed_receive, loaded_send:
            ended = False
            while not ended:
                batch: Batch | None = None
                with trio.CancelScope(deadline=builder.deadline) as age:
                    try:
                        batch = builder.add(await transformed_receive.receive(), trio.current_time())
                    except trio.EndOfChannel:
                        batch, ended = builder.leave("end"), True
                if age.cancelled_caught:
                    batch = builder.leave("age")
                if batch is not None:
                    await self._store(batch, loaded_send)

    async def _store(self, batch: Batch, loaded_send: trio.MemorySendChannel[Loaded]) -> None:
        """Commit ``batch``, whatever it takes, and say so."""
        started = self._waiting_since = trio.current_time()
        try:
            events = await self._write_stubbornly(batch)
        except EpochLost as error:
            lost = [part for part in batch.parts if part.connector_id in error.connector_ids]
            self._on_epoch_lost({part.connector_id: part.epoch for part in lost})
            log.warning("loader.epoch_lost", connectors=sorted(error.connector_ids))
            kept = tuple(part for part in batch.parts if part.connector_id not in error.connector_ids)
            self._settle(lost)
            if kept:
                await self._store(replace(batch, parts=kept), loaded_send)
            return
        except ReplaysLost as error:
            # Whoever replayed or dropped them first has done it.
            self._settle(part for part in batch.parts if part.extraction_id in error.extraction_ids)
            kept = tuple(part for part in batch.parts if part.extraction_id not in error.extraction_ids)
            if kept:
                await self._store(replace(batch, parts=kept), loaded_send)
            return
        except StorageRefused as error:
            for smaller in await self._without_refused(batch, str(error)):
                await self._store(smaller, loaded_send)
            return
        finally:
            self._waiting_since = None
        self._batches += 1
        self._rows += batch.rows
        if events:
            self._head = events[-1].offset
            await loaded_send.send(Loaded(events=events))
        self._settle(batch.parts, events)
        log.debug(
            "loader.batch_written",
            trigger=batch.left_by,
            rows=batch.rows,
            events=len(events),
            head=self._head,
            seconds=round(trio.current_time() - started, 4),
        )

    async def _write_stubbornly(self, batch: Batch) -> tuple[Event, ...]:
        return await self._stubbornly(partial(self._writer.write, batch))

    async def _stubbornly(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What storage answers, as soon as it does."""
        pause = 0.1
        while True:
            try:
                answer = await ask()
            except StorageUnavailable as error:
                if self._last_error is None:
                    log.warning("loader.storage_lost", error=str(error))
                self._last_error = str(error)
            else:
                if self._last_error is not None:
                    log.info("loader.storage_found")
                self._last_error = None
                return answer
            await trio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - spreads retries, keeps no secret
            pause = min(pause * 2, 2.0)

    def _settle(self, parts: Iterable[Transformed], events: Iterable[Event] = ()) -> None:
        if self._ledger is not None:
            by_id = {event.event_id: event for event in events}
            for part in parts:
                self._ledger.settle(part.extraction_id, by_id.get(part.extraction_id))

    async def _without_refused(self, batch: Batch, reason: str) -> list[Batch]:
        """Two halves; or one part without what is refused of it."""
        middle = len(batch.parts) // 2
        if middle:
            return [_batch(half, batch) for half in (batch.parts[:middle], batch.parts[middle:])]
        (part,) = batch.parts
        if part.items and len(part.sources) == len(part.items):
            ask = partial(self._writer.refused_items, part, copies=MAX_COPIES)
            refused = await self._stubbornly(ask)
            if refused:
                self._refused += 1
                log.warning("loader.items_refused", connector_id=part.connector_id, reason=reason, items=len(refused))
                return [_batch((without_items(part, refused, self._encode),), batch)]
        if part.replays is not None:
            # It is kept as rejected already, and stays so.
            log.warning("loader.replay_refused", connector_id=part.connector_id, reason=reason)
            self._settle([part])
            return []
        if not part.store_response and not part.items:
            # Even its rejected form is refused: nothing of it can be stored, and the next batch must not wait for it.
            log.error("loader.part_dropped", connector_id=part.connector_id, reason=reason)
            self._settle([part])
            return []
        self._refused += 1
        log.warning("loader.part_refused", connector_id=part.connector_id, reason=reason)
        return [_batch((rejected_whole(part, reason),), batch)]


def _batch(parts: tuple[Transformed, ...], of: Batch) -> Batch:
    return Batch(batch_id=uuid7(), parts=parts, left_by=of.left_by)
