"""The loader: collects what the transformer says into batches, has each committed, and says what was committed.

It is the only one that writes data. What it holds must not be lost, so trouble with storage is not a crash: while
PostgreSQL is away the same batch is tried again; after a moment it is put on disk instead, where all that follows gets
in line behind it, and subscribers are sent it without an offset (``loader_backlog.py``). What storage refuses of it is
the concern of ``loader_commit.py``. When a loader crashes, the next one begins with what it held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
import trio
from msgspec import Struct
from msgspec.structs import replace

from ..messages import UNOWNED, Batch, Loaded, Transformed
from .batch import BatchBuilder
from .floodgate import Floodgate
from .loader_backlog import Backlog
from .loader_commit import Committer, CommitTimer, Ledger, LoadedSend, Writer
from .loader_patience import Patience

# How long one waits whom neither the database nor the disk takes.
NEITHER_SECONDS = 0.5


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
    actors. Without a ``backlog`` a batch is tried until it is stored; ``floodgate`` is closed while the one that there
    is takes nothing either. ``encode`` makes JSON of an element of an answer.
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
        floodgate: Floodgate | None = None,
        timer: CommitTimer | None = None,
        encode: Callable[[Any], bytes] = msgspec.json.encode,
    ) -> None:
        self._writer = writer
        self._backlog = backlog
        self._floodgate = floodgate or Floodgate()
        self._ledger = ledger
        self._builder = BatchBuilder(max_rows=max_batch_rows, max_age_seconds=max_batch_age_seconds)
        self._in_hand: list[Batch] = []
        self._spooled = 0
        self._waiting_since: float | None = None
        self._patience = Patience()
        self._committer = Committer(
            writer, patience=self._patience, on_epoch_lost=on_epoch_lost, ledger=ledger, timer=timer, encode=encode
        )

    def statistics(self) -> LoaderStatistics:
        """A snapshot."""
        waiting = 0.0 if self._waiting_since is None else trio.current_time() - self._waiting_since
        return LoaderStatistics(
            batches=self._committer.batches,
            rows=self._committer.rows,
            refused=self._committer.refused,
            spooled=self._spooled,
            waits=self._has_backlog,
            head=self._committer.head,
            waiting_seconds=waiting,
            last_error=self._patience.last_error,
        )

    async def run(
        self,
        transformed_receive: trio.MemoryReceiveChannel[Transformed],
        loaded_send: LoadedSend,
    ) -> None:
        """Until the input ends: batches leave by size, by age, and at the end what is left."""
        async with transformed_receive, loaded_send, trio.open_nursery() as beside:
            if self._backlog is not None:
                beside.start_soon(self._backlog.drain, partial(self._load, loaded_send=loaded_send))
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

    def hurry_nowait(self, moment: float) -> None:
        """From that ``moment`` of trio's clock on the database is not waited for: what is not stored by then is put on
        disk, where there is a backlog.
        """
        if self._backlog is not None:
            self._patience.end_at(moment)

    async def _store_in_hand(self, loaded_send: LoadedSend) -> None:
        while self._in_hand:
            await self._store(self._in_hand[0], loaded_send)
            del self._in_hand[0]

    @property
    def _has_backlog(self) -> bool:
        return self._backlog is not None and self._backlog.is_waiting

    async def _store(self, batch: Batch, loaded_send: LoadedSend) -> None:
        """Commit ``batch``, or put it behind what waits on disk, whatever it takes; and say so."""
        self._waiting_since = trio.current_time()
        try:
            while True:
                if not self._has_backlog and await self._commit(batch, loaded_send):
                    break
                if self._backlog is not None:
                    if await self._put_by(batch, self._backlog, loaded_send):
                        break
                    self._floodgate.close_nowait(self._backlog.trouble or "nothing can be stored")
                await trio.sleep(NEITHER_SECONDS)
            self._floodgate.open_nowait()
        finally:
            self._waiting_since = None

    async def _commit(self, batch: Batch, loaded_send: LoadedSend) -> bool:
        async def again(batches: Sequence[Batch]) -> None:
            for one in batches:
                await self._store(one, loaded_send)

        for_ever = self._backlog is None
        return await self._committer.commit([batch], loaded_send, again=again, for_ever=for_ever, waited=False)

    async def _load(self, batches: Sequence[Batch], loaded_send: LoadedSend) -> None:
        """Commit batches that waited on disk."""
        again = partial(self._load, loaded_send=loaded_send)
        await self._committer.commit(batches, loaded_send, again=again, for_ever=True, waited=True)

    async def _put_by(self, batch: Batch, backlog: Backlog, loaded_send: LoadedSend) -> bool:
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
        self._committer.settle(kept.parts)
        return True
