"""Has batches committed, as far as they ever can be, and says what was committed.

A batch with connectors that belong to somebody else by now is tried again without them. A value that PostgreSQL will
never take is searched for: by halving, until the one extraction that holds it is found; then among its items, so that
each bad one is kept as rejected and the others are stored. When that takes too long, or it is none of the items, the
extraction is kept as rejected whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from functools import partial
from time import monotonic
from typing import Any, Protocol
from uuid import UUID

import structlog
import trio

from ..errors import EpochLost, ReplaysLost, StorageRefused, StorageUnavailable
from ..messages import Batch, Event, Loaded, Transformed, Unstored
from .batch_remains import halves, made_of, outliving, read_by, without
from .loader_patience import Patience
from .refusing import rejected_whole, without_items

log = structlog.get_logger("loader")

# How often the items of one extraction may be copied on trial until the bad ones among them are known.
MAX_COPIES = 64

LoadedSend = trio.MemorySendChannel[Loaded]
Again = Callable[[Sequence[Batch]], Awaitable[None]]


class Writer(Protocol):
    """Commits batches once, however often it is asked to; returns their events in the order of their offsets.

    ``unstored`` is what subscribers are sent of parts that cannot be stored now. Of what can never be stored,
    ``refused_items`` finds the items that are to blame, within a budget.
    """

    async def write(self, *batches: Batch) -> tuple[Event, ...]: ...
    async def unstored(self, parts: Sequence[Transformed]) -> tuple[Unstored, ...]: ...
    async def refused_items(self, part: Transformed, *, copies: int) -> dict[int, str] | None: ...


class Ledger(Protocol):
    """Is told what became of each extraction; without an event, there is none in the log yet."""

    def settle(self, extraction_id: UUID, event: Event | None, /) -> None: ...
    def refuse(self, extraction_id: UUID, reason: str, /) -> None: ...


class CommitTimer(Protocol):
    """Is told of each commit when it is done: what was in it, and how long it took."""

    def committed(self, parts: Sequence[Transformed], seconds: float, /) -> None: ...


class Committer:
    """What the loader has storage do. ``batches``, ``rows``, ``refused`` and ``head`` count what was done so far.

    ``on_epoch_lost`` is told which connectors were taken over, and the epoch of each that was lost. ``encode`` makes
    JSON of an element of an answer.
    """

    def __init__(
        self,
        writer: Writer,
        *,
        patience: Patience,
        on_epoch_lost: Callable[[dict[str, int]], None],
        ledger: Ledger | None,
        timer: CommitTimer | None,
        encode: Callable[[Any], bytes],
    ) -> None:
        self._writer = writer
        self._patience = patience
        self._on_epoch_lost = on_epoch_lost
        self._ledger = ledger
        self._timer = timer
        self._encode = encode
        self.batches = self.rows = self.refused = self.head = 0

    async def commit(
        self, batches: Sequence[Batch], loaded_send: LoadedSend, *, again: Again, for_ever: bool, waited: bool
    ) -> bool:
        """Whether ``batches`` are stored together, as far as they ever can be; False when nobody takes them now, unless
        ``for_ever``. ``waited``: on disk. What is to be tried otherwise goes to ``again``, in order.
        """
        started, parts = trio.current_time(), [part for batch in batches for part in batch.parts]
        try:
            events = await self._patience.ask(partial(self._write, batches, parts), for_ever=for_ever)
        except StorageUnavailable:
            return False
        except EpochLost as error:
            return await _tried([self._without_lost(batches, error.connector_ids, waited=waited)], again)
        except ReplaysLost as error:
            # Whoever replayed or dropped them first has done it.
            return await _tried([self._without(batches, error.extraction_ids)], again)
        except StorageRefused as error:
            try:
                groups = await self._without_refused(batches, str(error), for_ever=for_ever)
            except StorageUnavailable:
                return False
            return await _tried(groups, again)
        rows = sum(part.rows for part in parts)
        self.batches += len(batches)
        self.rows += rows
        if events:
            self.head = events[-1].offset
            await loaded_send.send(Loaded(events=events))
        self.settle(parts, events)
        log.debug(
            "loader.batch_written",
            trigger="spool" if waited else batches[0].left_by,
            batches=len(batches),
            rows=rows,
            events=len(events),
            head=self.head,
            seconds=round(trio.current_time() - started, 4),
        )
        return True

    def settle(self, parts: Iterable[Transformed], events: Iterable[Event] = ()) -> None:
        """Tell whoever waits for these what became of them."""
        if self._ledger is not None:
            by_id = {event.event_id: event for event in events}
            for part in parts:
                self._ledger.settle(part.extraction_id, by_id.get(part.extraction_id))

    async def _write(self, batches: Sequence[Batch], parts: Sequence[Transformed]) -> tuple[Event, ...]:
        began = monotonic()
        events = await self._writer.write(*batches)
        if self._timer is not None:
            self._timer.committed(parts, monotonic() - began)
        return events

    def _without_lost(self, batches: Sequence[Batch], connector_ids: frozenset[str], *, waited: bool) -> list[Batch]:
        """What is left of batches with connectors that somebody else has claimed since.

        What is read now, he reads too; what ``waited`` on disk outlives its epoch.
        """
        lost = [part for batch in batches for part in read_by(batch, connector_ids).values()]
        self._on_epoch_lost({part.connector_id: part.epoch for part in lost})
        if waited:
            log.info("loader.epoch_outlived", connectors=sorted(connector_ids))
            batches = [outliving(batch, connector_ids) for batch in batches]
        else:
            log.warning("loader.epoch_lost", connectors=sorted(connector_ids))
        return self._without(batches, {each for batch in batches for each in read_by(batch, connector_ids)})

    def _without(self, batches: Sequence[Batch], extraction_ids: Container[UUID]) -> list[Batch]:
        self.settle(part for batch in batches for part in batch.parts if part.extraction_id in extraction_ids)
        return [one for batch in batches for one in without(batch, extraction_ids)]

    async def _without_refused(self, batches: Sequence[Batch], reason: str, *, for_ever: bool) -> list[Sequence[Batch]]:
        """Two halves of what is tried together; or one part without what is refused of it."""
        if len(batches) > 1:
            middle = len(batches) // 2
            return [batches[:middle], batches[middle:]]
        (batch,) = batches
        if len(batch.parts) > 1:
            return [[half] for half in halves(batch)]
        smaller = await self._mended(batch, reason, for_ever=for_ever)
        return [] if smaller is None else [[smaller]]

    async def _mended(self, batch: Batch, reason: str, *, for_ever: bool) -> Batch | None:
        (part,) = batch.parts
        if part.items and len(part.sources) == len(part.items):
            ask = partial(self._writer.refused_items, part, copies=MAX_COPIES)
            refused = await self._patience.ask(ask, for_ever=for_ever)
            if refused:
                self.refused += 1
                log.warning("loader.items_refused", connector_id=part.connector_id, reason=reason, items=len(refused))
                return made_of(batch, (without_items(part, refused, self._encode),), "mended")
        if part.replays is not None:
            # It is kept as rejected already, and stays so.
            log.warning("loader.replay_refused", connector_id=part.connector_id, reason=reason)
            self.settle([part])
            return None
        if not part.store_response and not part.items:
            # Even its rejected form is refused: nothing of it can be stored, and the next batch must not wait for it.
            log.error("loader.part_dropped", connector_id=part.connector_id, reason=reason)
            self.settle([part])
            return None
        self.refused += 1
        log.warning("loader.part_refused", connector_id=part.connector_id, reason=reason)
        return made_of(batch, (rejected_whole(part, reason),), "rejected")


async def _tried(groups: Iterable[Sequence[Batch]], again: Again) -> bool:
    for group in groups:
        if group:
            await again(group)
    return True
