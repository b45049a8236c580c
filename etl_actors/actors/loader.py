"""The loader: collects what the transformer says into batches, has each committed, and says what was committed.

It is the only one that writes data. What it holds must not be lost, so trouble with storage is not a crash: while
PostgreSQL is away the same batch is tried again; after a moment it is put on disk instead, where all that follows gets
in line behind it, and subscribers are sent it without an offset (``loader_backlog.py``). A batch with connectors that
belong to somebody else by now is tried again without them. A value that PostgreSQL will never take is searched for: by
halving the batch, until the one extraction that holds it is found; then among its items, so that each bad one is kept
as rejected and the others are stored. When that takes too long, or it is none of the items, the extraction is kept as
rejected whole. When a loader crashes, the next one begins with what it held.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from functools import partial
from time import monotonic
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog
import trio
from msgspec import Struct
from msgspec.structs import replace

from ..errors import EpochLost, ReplaysLost, StorageRefused, StorageUnavailable
from ..messages import UNOWNED, Batch, Event, Loaded, Transformed, Unstored
from .batch import BatchBuilder
from .batch_remains import halves, made_of, outliving, read_by, without
from .loader_backlog import Backlog
from .loader_patience import Patience
from .refusing import rejected_whole, without_items

log = structlog.get_logger("loader")

Retry = Callable[[Batch, trio.MemorySendChannel[Loaded]], Awaitable[None]]

# How long one waits whom neither the database nor the disk takes.
NEITHER_SECONDS = 0.5
# How often the items of one extraction may be copied on trial until the bad ones among them are known.
MAX_COPIES = 64


class Writer(Protocol):
    """Commits a batch once, however often it is asked to; returns its events in the order of their offsets.

    ``unstored`` is what subscribers are sent of parts that cannot be stored now. Of what can never be stored,
    ``refused_items`` finds the items that are to blame, within a budget.
    """

    async def write(self, batch: Batch) -> tuple[Event, ...]: ...
    async def unstored(self, parts: Sequence[Transformed]) -> tuple[Unstored, ...]: ...
    async def refused_items(self, part: Transformed, *, copies: int) -> dict[int, str] | None: ...


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
    actors. Without a ``backlog`` a batch is tried until it is stored. ``encode`` makes JSON of an element of an answer.
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
        encode: Callable[[Any], bytes] = msgspec.json.encode,
    ) -> None:
        self._writer = writer
        self._backlog = backlog
        self._timer = timer
        self._on_epoch_lost = on_epoch_lost
        self._ledger = ledger
        self._encode = encode
        self._builder = BatchBuilder(max_rows=max_batch_rows, max_age_seconds=max_batch_age_seconds)
        self._in_hand: list[Batch] = []
        self._batches = self._rows = self._refused = self._spooled = self._head = 0
        self._waiting_since: float | None = None
        self._patience = Patience()

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
            last_error=self._patience.last_error,
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
        retry: Retry,
        *,
        waited: bool = False,
    ) -> bool:
        """Whether ``batch`` is stored, as far as it ever can be. What is to be tried otherwise goes to ``retry``."""
        started, for_ever = trio.current_time(), waited or self._backlog is None
        try:
            events = await self._patience.ask(partial(self._write, batch), for_ever=for_ever)
        except StorageUnavailable:
            return False
        except EpochLost as error:
            return await self._retried(
                retry, self._without_lost(batch, error.connector_ids, waited=waited), loaded_send
            )
        except ReplaysLost as error:
            # Whoever replayed or dropped them first has done it.
            return await self._retried(retry, self._without(batch, error.extraction_ids), loaded_send)
        except StorageRefused as error:
            try:
                smaller = await self._without_refused(batch, str(error), for_ever=for_ever)
            except StorageUnavailable:
                return False
            return await self._retried(retry, smaller, loaded_send)
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

    async def _retried(
        self, retry: Retry, batches: Iterable[Batch], loaded_send: trio.MemorySendChannel[Loaded]
    ) -> bool:
        for batch in batches:
            await retry(batch, loaded_send)
        return True

    async def _write(self, batch: Batch) -> tuple[Event, ...]:
        began = monotonic()
        events = await self._writer.write(batch)
        if self._timer is not None:
            self._timer.committed(batch.parts, monotonic() - began)
        return events

    async def _put_by(self, batch: Batch, backlog: Backlog, loaded_send: trio.MemorySendChannel[Loaded]) -> bool:
        """Whether ``batch`` is safe on disk. Those who wait for theirs to be stored are refused."""
        asked = [part for part in batch.parts if part.epoch == UNOWNED]
        kept = replace(batch, parts=tuple(part for part in batch.parts if part.epoch != UNOWNED))
        if self._ledger is not None:
            for part in asked:
                self._ledger.refuse(part.extraction_id, self._patience.last_error or "older data waits to be stored")
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

    def _without_lost(self, batch: Batch, connector_ids: frozenset[str], *, waited: bool) -> list[Batch]:
        """What is left of a batch with connectors that somebody else has claimed since.

        What is read now, he reads too; what ``waited`` on disk outlives its epoch.
        """
        lost = read_by(batch, connector_ids).values()
        self._on_epoch_lost({part.connector_id: part.epoch for part in lost})
        if waited:
            log.info("loader.epoch_outlived", connectors=sorted(connector_ids))
            batch = outliving(batch, connector_ids)
        else:
            log.warning("loader.epoch_lost", connectors=sorted(connector_ids))
        return self._without(batch, read_by(batch, connector_ids))

    def _without(self, batch: Batch, extraction_ids: Container[UUID]) -> list[Batch]:
        self._settle(part for part in batch.parts if part.extraction_id in extraction_ids)
        return without(batch, extraction_ids)

    def _settle(self, parts: Iterable[Transformed], events: Iterable[Event] = ()) -> None:
        if self._ledger is not None:
            by_id = {event.event_id: event for event in events}
            for part in parts:
                self._ledger.settle(part.extraction_id, by_id.get(part.extraction_id))

    async def _without_refused(self, batch: Batch, reason: str, *, for_ever: bool) -> list[Batch]:
        """Two halves; or one part without what is refused of it."""
        if len(batch.parts) > 1:
            return halves(batch)
        (part,) = batch.parts
        if part.items and len(part.sources) == len(part.items):
            ask = partial(self._writer.refused_items, part, copies=MAX_COPIES)
            refused = await self._patience.ask(ask, for_ever=for_ever)
            if refused:
                self._refused += 1
                log.warning("loader.items_refused", connector_id=part.connector_id, reason=reason, items=len(refused))
                return [made_of(batch, (without_items(part, refused, self._encode),), "mended")]
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
        return [made_of(batch, (rejected_whole(part, reason),), "rejected")]
