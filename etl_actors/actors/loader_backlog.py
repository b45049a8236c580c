"""What waits on disk to be loaded: batches that could not be stored when they came, and all that came behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

import structlog
import trio

from ..errors import SpoolFull, SpoolUnavailable
from ..messages import UNOWNED, Batch

log = structlog.get_logger("loader")

RETRY_SECONDS = 1.0
# What is committed together: enough that the cost of a commit is small beside it, and little enough to hold in memory.
TOGETHER_BATCHES, TOGETHER_ROWS, TOGETHER_BYTES = 50, 2_000, 4_194_304


class Spooled(Protocol):
    """A batch that waits, and its place in the queue."""

    @property
    def sequence(self) -> int: ...
    @property
    def batch(self) -> Batch: ...


class SpoolStatistics(Protocol):
    """How much waits."""

    @property
    def batches(self) -> int: ...


class Spool(Protocol):
    """A durable queue. ``append`` returns when a batch is on disk; may raise SpoolFull and SpoolUnavailable."""

    async def append(self, batch: Batch) -> None: ...
    async def first(self, after: int = 0, /) -> Spooled | None: ...
    async def remove(self, *sequences: int) -> None: ...
    def statistics(self) -> SpoolStatistics: ...


class Backlog:
    """The spool and whether anything waits in it, which whoever stores must get in line behind.

    ``trouble`` says why the spool takes nothing, while it does not.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._turn = trio.Lock()
        self._filled = trio.Event()
        self.trouble: str | None = None
        if spool.statistics().batches:
            self._filled.set()

    @property
    def is_waiting(self) -> bool:
        """Whether anything waits."""
        return self._filled.is_set()

    async def keep(self, batch: Batch) -> bool:
        """Put it behind what waits; False when the disk takes nothing now."""
        async with self._turn:
            try:
                await self._spool.append(batch)
            except (SpoolFull, SpoolUnavailable) as error:
                if self.trouble is None:
                    log.error("loader.spool_takes_nothing", error=str(error))
                self.trouble = str(error)
                return False
            self._filled.set()
        self.trouble = None
        return True

    async def drain(self, store: Callable[[Sequence[Batch]], Awaitable[None]]) -> None:
        """For ever: have ``store`` take what waits, the oldest first, as soon as there is something."""
        while True:
            await self._filled.wait()
            try:
                await self._drain(store)
            except SpoolUnavailable as error:
                if self.trouble is None:
                    log.error("loader.spool_cannot_be_read", error=str(error))
                self.trouble = str(error)
                await trio.sleep(RETRY_SECONDS)

    async def _drain(self, store: Callable[[Sequence[Batch]], Awaitable[None]]) -> None:
        """Until nothing waits. The next batches are read while those before them are stored."""
        following = await self._read()
        while waiting := following:

            async def read_ahead(after: int = waiting[-1].sequence) -> None:
                nonlocal following
                following = []
                with suppress(SpoolUnavailable):  # which is met again below
                    following = await self._read(after)

            async with trio.open_nursery() as beside:
                beside.start_soon(read_ahead)
                await store([spooled.batch for spooled in waiting])
            await self._spool.remove(*(spooled.sequence for spooled in waiting))
        async with self._turn:
            # Somebody may have got in line since.
            if await self._spool.first() is None:
                self._filled = trio.Event()
                log.info("loader.spool_empty")

    async def _read(self, after: int = 0) -> list[Spooled]:
        """The next few batches, which are small where data come often, to be committed together."""
        read: list[Spooled] = []
        epochs: dict[str, int] = {}
        rows = size = 0
        while rows < TOGETHER_ROWS and size < TOGETHER_BYTES and len(read) < TOGETHER_BATCHES:
            spooled = await self._spool.first(read[-1].sequence if read else after)
            if spooled is None or not _under(epochs, spooled.batch):
                break
            read.append(spooled)
            rows += spooled.batch.rows
            size += sum(len(part.body) for part in spooled.batch.parts)
        return read


def _under(epochs: dict[str, int], batch: Batch) -> bool:
    """Whether its connectors are under the ``epochs`` of those before it, as one commit must be; adds its own."""
    said = {part.connector_id: part.epoch for part in batch.parts if part.epoch != UNOWNED}
    if any(epochs.get(connector_id, epoch) != epoch for connector_id, epoch in said.items()):
        return False
    epochs.update(said)
    return True
