"""The spool as the rest of the service sees it: asynchronous, cancellable, and never in the way of the event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio
from msgspec import Struct

from ..errors import SpoolUnavailable
from ..messages import Batch
from .encoding import Undecodable, estimated_size
from .grouping import Grouping
from .record import Fresh, fresh
from .statistics import SpoolStatistics
from .store import Store

FOLDER = "spool"
_GROUP_BYTES = 1_048_576
# Up to here it takes the event loop less than half a millisecond, and a thread would take longer.
_LARGE_BYTES = 65_536

Answer = TypeVar("Answer")


class Spooled(Struct, frozen=True):
    """A batch that waits, and its place in the queue."""

    sequence: int
    batch: Batch


class Spool:
    """A durable queue of batches. Any number of tasks may use it at once; made by :func:`open_spool`."""

    def __init__(self, store: Store, thread: trio.CapacityLimiter) -> None:
        self._store = store
        self._thread = thread
        self._closed = False
        self._appending = 0
        self._settled = trio.Event()
        self._grouping = Grouping(self._commit, most_bytes=_GROUP_BYTES)

    async def append(self, batch: Batch) -> None:
        """Returns when ``batch`` is on disk. Raises :class:`SpoolFull` when it is not, for want of room.

        Batches come out in the order in which their appends began, if one waits for another. A cancelled append may
        have stored the batch; it stored it whole.
        """
        self._insist_on_open()
        self._appending += 1
        try:
            large = estimated_size(batch) > _LARGE_BYTES
            await self._grouping.add(await trio.to_thread.run_sync(fresh, batch) if large else fresh(batch))
        finally:
            self._appending -= 1
            if not self._appending:
                self._settled.set()

    async def first(self, after: int = 0) -> Spooled | None:
        """The oldest batch that waits, of those above the sequence ``after``; None where none does.

        What cannot be read is set aside, counted and logged on the way.
        """
        while (record := await self._ask(self._store.next, after)) is not None:
            try:
                large = len(record.blob) > _LARGE_BYTES or record.size > _LARGE_BYTES
                batch = await trio.to_thread.run_sync(record.batch) if large else record.batch()
            except Undecodable as error:
                whole = error.version is not None
                await self._ask(partial(self._store.set_aside, record.sequence, str(error), whole=whole))
            else:
                return Spooled(record.sequence, batch)
        return None

    async def remove(self, *sequences: int) -> None:
        """Those batches are committed: they do not wait any more. On disk when this returns."""
        await self._ask(self._store.remove, sequences)

    async def has_room(self, size: int) -> bool:
        """Whether a batch of ``size`` bytes would be taken now. What is appended is smaller: it is compressed."""
        return await self._ask(self._store.has_room, size)

    def statistics(self) -> SpoolStatistics:
        """A snapshot."""
        return self._store.snapshot.aged()

    def __aiter__(self) -> AsyncIterator[Spooled]:
        """What waits, the oldest first, one at a time from the disk, to the end. Removing is up to the caller."""
        return _Walk(self)

    async def aclose(self) -> None:
        """Let what is under way end, then let go of the files. Whatever the caller's scope says: it is soon done."""
        if not self._closed:
            self._closed = True
            with trio.CancelScope(shield=True):
                if self._appending:
                    self._settled = trio.Event()
                    await self._settled.wait()
                await trio.to_thread.run_sync(self._store.close, limiter=self._thread)

    async def _commit(self, batches: Sequence[Fresh]) -> tuple[int, str]:
        # Without looking whether it is closed: what was under way then is still stored.
        return await trio.to_thread.run_sync(self._store.append, batches, limiter=self._thread)

    async def _ask(self, action: Callable[..., Answer], *arguments: object) -> Answer:
        self._insist_on_open()
        return await trio.to_thread.run_sync(action, *arguments, limiter=self._thread)

    def _insist_on_open(self) -> None:
        if self._closed:
            raise SpoolUnavailable("the spool is closed")


class _Walk:
    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._sequence = 0

    def __aiter__(self) -> _Walk:
        return self

    async def __anext__(self) -> Spooled:
        spooled = await self._spool.first(self._sequence)
        if spooled is None:
            raise StopAsyncIteration
        self._sequence = spooled.sequence
        return spooled


@asynccontextmanager
async def open_spool(data_dir: Path, *, max_bytes: int) -> AsyncIterator[Spool]:
    """The spool in ``data_dir``, whatever became of its files. One process may have it open at a time.

    Raises :class:`SpoolUnavailable` where the folder cannot be used, :class:`SpoolFull` where there is no spool yet and
    the disk has no room for an empty one.
    """
    thread = trio.CapacityLimiter(1)
    store = await trio.to_thread.run_sync(Store, data_dir / FOLDER, max_bytes, limiter=thread)
    spool = Spool(store, thread)
    try:
        yield spool
    finally:
        await spool.aclose()
