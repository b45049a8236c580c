"""The loader: collects what the transformer says into batches, has each committed, and says what was committed.

It is the only one that writes data. What it holds must not be lost, so trouble with storage is not a crash: while
PostgreSQL is away the same batch is tried again; after a moment it is put on disk instead, where all that follows gets
in line behind it, and subscribers are sent it without an offset (``loader_backlog.py``). A batch with connectors that
belong to somebody else by now is tried again without them, and a value that PostgreSQL will never take is searched for
by halving the batch, until the one extraction that holds it is kept as rejected. When a loader crashes, the next one
begins with what it held.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import monotonic
from typing import Protocol
from uuid import UUID, uuid5

import structlog
import trio
from msgspec import Struct
from msgspec.structs import replace

from ..errors import EpochLost, StorageRefused, StorageUnavailable
from ..messages import UNOWNED, Batch, Event, Loaded, Rejected, Transformed, Unstored
from .batch import BatchBuilder
from .loader_backlog import Backlog

log = structlog.get_logger("loader")

# How long a batch is tried before it is put on disk: where the database says no, and where it says nothing, which may
# only mean that it is slow. And how long one waits whom neither takes.
PATIENCE_SECONDS = 1.0
SILENCE_SECONDS = 5.0
NEITHER_SECONDS = 0.5


class Writer(Protocol):
    """Commits a batch once, however often it is asked to; returns its events in the order of their offsets.

    ``unstored`` is what subscribers are sent of parts that cannot be stored now.
    """

    async def write(self, batch: Batch) -> tuple[Event, ...]: ...
    async def unstored(self, parts: Sequence[Transformed]) -> tuple[Unstored, ...]: ...


class Ledger(Protocol):
    """Is told what became of each extraction; without an event, there is none in the log yet."""

    def settle(self, extraction_id: UUID, event: Event | None, /) -> None: ...
    def refuse(self, extraction_id: UUID, reason: str, /) -> None: ...


class CommitTimer(Protocol):
    """Is told of each commit when it is done: what was in it, and how long it took."""

    def committed(self, parts: Sequence[Transformed], seconds: float, /) -> None: ...


class LoaderStatistics(Struct, frozen=True, kw_only=True):
    """What the loader did so far. ``waiting_seconds`` is how long the batch in its hand has been waiting; ``spooled``
    batches were put on disk, of which some ``waits`` or none.
    """

    batches: int
    rows: int
    refused: int
    spooled: int
    waits: bool
    head: int
    waiting_seconds: float
    last_error: str | None


class Loader:
    """Batches, commits, reports.

    ``on_epoch_lost`` is told which connectors were taken over, and the epoch of each that was lost: it ends their
    actors. Without a ``backlog`` a batch is tried until it is stored.
    """

    def __init__(
        self,
        writer: Writer,
        *,
        max_batch_rows: int,
        max_batch_age_seconds: float,
        on_epoch_lost: Callable[[dict[str, int]], None],
        ledger: Ledger | None = None,
        backlog: Backlog | None = None,
        timer: CommitTimer | None = None,
    ) -> None:
        self._writer = writer
        self._backlog = backlog
        self._timer = timer
        self._on_epoch_lost = on_epoch_lost
        self._ledger = ledger
        self._builder = BatchBuilder(max_rows=max_batch_rows, max_age_seconds=max_batch_age_seconds)
        self._in_hand: list[Batch] = []
        self._batches = self._rows = self._refused = self._spooled = self._head = 0
        self._waiting_since: float | None = None
        self._last_error: str | None = None

    def statistics(self) -> LoaderStatistics:
        """A snapshot."""
        waiting = 0.0 if self._waiting_since is None else trio.current_time() - self._waiting_since
        return LoaderStatistics(
            batches=self._batches,
            rows=self._rows,
            refused=self._refused,
            spooled=self._spooled,
            waits=self._has_backlog,
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
        async with transformed_receive, loaded_send, trio.open_nursery() as beside:
            if self._backlog is not None:
                beside.start_soon(self._backlog.drain, lambda batch: self._load(batch, loaded_send))
            await self._store_in_hand(loaded_send)
            ended = False
            while not ended:
                batch: Batch | None = None
                with trio.CancelScope(deadline=self._builder.deadline) as age:
                    try:
                        batch = self._builder.add(await transformed_receive.receive(), trio.current_time())
                    except trio.EndOfChannel:
                        batch, ended = self._builder.leave("end"), True
                if age.cancelled_caught:
                    batch = self._builder.leave("age")
                if batch is not None:
                    self._in_hand.append(batch)
                    await self._store_in_hand(loaded_send)
            beside.cancel_scope.cancel()  # what waits on disk is safe there

    async def _store_in_hand(self, loaded_send: trio.MemorySendChannel[Loaded]) -> None:
        while self._in_hand:
            await self._store(self._in_hand[0], loaded_send)
            del self._in_hand[0]

    @property
    def _has_backlog(self) -> bool:
        return self._backlog is not None and self._backlog.is_waiting

    async def _store(self, batch: Batch, loaded_send: trio.MemorySendChannel[Loaded]) -> None:
        """Commit ``batch``, or put it behind what waits on disk, whatever it takes; and say so."""
        self._waiting_since = trio.current_time()
        try:
            while True:
                if not self._has_backlog and await self._commit(batch, loaded_send, self._store):
                    return
                if self._backlog is not None and await self._put_by(batch, self._backlog, loaded_send):
                    return
                await trio.sleep(NEITHER_SECONDS)
        finally:
            self._waiting_since = None

    async def _load(self, batch: Batch, loaded_send: trio.MemorySendChannel[Loaded]) -> None:
        """Commit a batch that waited on disk."""
        await self._commit(batch, loaded_send, self._load, waited=True)

    async def _commit(
        self,
        batch: Batch,
        loaded_send: trio.MemorySendChannel[Loaded],
        retry: Callable[[Batch, trio.MemorySendChannel[Loaded]], Awaitable[None]],
        *,
        waited: bool = False,
    ) -> bool:
        """Whether ``batch`` is stored, as far as it ever can be. What is to be tried otherwise goes to ``retry``."""
        started = trio.current_time()
        try:
            events = await self._write_stubbornly(batch, patient=waited or self._backlog is None)
        except EpochLost as error:
            kept = self._without_lost(batch, error.connector_ids, waited=waited)
            if kept is not None:
                await retry(kept, loaded_send)
            return True
        except StorageRefused as error:
            for smaller in self._without_refused(batch, str(error)):
                await retry(smaller, loaded_send)
            return True
        if events is None:
            return False
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
        return True

    async def _write_stubbornly(self, batch: Batch, *, patient: bool) -> tuple[Event, ...] | None:
        """Its events; None when the database took nothing and we are not ``patient``."""
        started, pause, reason = trio.current_time(), 0.1, f"it said nothing for {SILENCE_SECONDS:g} s"
        with trio.CancelScope(deadline=math.inf if patient else started + SILENCE_SECONDS) as trying:
            while True:
                began = monotonic()
                try:
                    events = await self._writer.write(batch)
                except StorageUnavailable as error:
                    reason = str(error)
                    self._lost_storage(reason)
                else:
                    if self._last_error is not None:
                        log.info("loader.storage_found")
                    self._last_error = None
                    if self._timer is not None:
                        self._timer.committed(batch.parts, monotonic() - began)
                    return events
                if not patient:
                    trying.deadline = min(trying.deadline, started + PATIENCE_SECONDS)
                await trio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - spreads retries, keeps no secret
                pause = min(pause * 2, 2.0)
        self._lost_storage(reason)
        return None

    def _lost_storage(self, reason: str) -> None:
        if self._last_error is None:
            log.warning("loader.storage_lost", error=reason)
        self._last_error = reason

    async def _put_by(self, batch: Batch, backlog: Backlog, loaded_send: trio.MemorySendChannel[Loaded]) -> bool:
        """Whether ``batch`` is safe on disk. Those who wait for theirs to be stored are refused."""
        asked = [part for part in batch.parts if part.epoch == UNOWNED]
        kept = replace(batch, parts=tuple(part for part in batch.parts if part.epoch != UNOWNED))
        if self._ledger is not None:
            for part in asked:
                self._ledger.refuse(part.extraction_id, self._last_error or "older data waits to be stored")
        if not kept.parts:
            return True
        if not await backlog.keep(kept):
            return False
        self._spooled += 1
        events = await self._writer.unstored(kept.parts)
        if events:
            await loaded_send.send(Loaded(events=events))
        self._settle(kept.parts)
        return True

    def _without_lost(self, batch: Batch, connector_ids: frozenset[str], *, waited: bool) -> Batch | None:
        """What is left to store of a batch with connectors that somebody else has claimed since.

        What is read now, the other one reads too. What ``waited`` on disk outlives its epoch, except answers that moved
        a cursor: from there on the other one reads again.
        """
        lost = [part for part in batch.parts if part.connector_id in connector_ids]
        self._on_epoch_lost({part.connector_id: part.epoch for part in lost})
        log.warning("loader.epoch_lost", connectors=sorted(connector_ids), waited=waited)
        outlives = {
            part.extraction_id
            for part in lost
            if waited and (part.kind != "response" or part.checkpoint.cursor is None)
        }
        parts = tuple(
            replace(part, epoch=UNOWNED) if part.extraction_id in outlives else part
            for part in batch.parts
            if part.connector_id not in connector_ids or part.extraction_id in outlives
        )
        self._settle(part for part in lost if part.extraction_id not in outlives)
        return replace(batch, parts=parts) if parts else None

    def _settle(self, parts: Iterable[Transformed], events: Iterable[Event] = ()) -> None:
        if self._ledger is not None:
            by_id = {event.event_id: event for event in events}
            for part in parts:
                self._ledger.settle(part.extraction_id, by_id.get(part.extraction_id))

    def _without_refused(self, batch: Batch, reason: str) -> list[Batch]:
        """Two halves, or one part whose whole body is rejected instead of stored.

        Their ids follow from that of the batch: one that waits on disk may be halved again after a crash.
        """
        middle = len(batch.parts) // 2
        if middle:
            return [
                Batch(batch_id=uuid5(batch.batch_id, name), parts=half, left_by=batch.left_by)
                for name, half in (("first", batch.parts[:middle]), ("second", batch.parts[middle:]))
            ]
        (part,) = batch.parts
        if not part.store_response and not part.items:
            # Even its rejected form is refused: nothing of it can be stored, and the next batch must not wait for it.
            log.error("loader.part_dropped", connector_id=part.connector_id, reason=reason)
            self._settle([part])
            return []
        self._refused += 1
        log.warning("loader.part_refused", connector_id=part.connector_id, reason=reason)
        refusal = Rejected(
            connector_id=part.connector_id,
            received_at=part.received_at,
            raw=part.body,
            reason=f"PostgreSQL refused it: {reason}",
        )
        rejected = replace(part, items=(), rejected=(refusal,), store_response=False)
        return [Batch(batch_id=uuid5(batch.batch_id, "rejected"), parts=(rejected,), left_by=batch.left_by)]
