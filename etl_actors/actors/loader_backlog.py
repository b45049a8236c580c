"""What waits on disk to be loaded: batches that could not be stored when they came, and all that came behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import structlog
import trio

from ..errors import SpoolFull, SpoolUnavailable
from ..messages import Batch

log = structlog.get_logger("loader")

RETRY_SECONDS = 1.0


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
    async def remove(self, sequence: int) -> None: ...
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

    async def drain(self, store: Callable[[Batch], Awaitable[None]]) -> None:
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

    async def _drain(self, store: Callable[[Batch], Awaitable[None]]) -> None:
        """Until nothing waits. The next batch is read while the one before it is stored."""
        following = await self._spool.first()
        while (spooled := following) is not None:

            async def read_ahead(after: int = spooled.sequence) -> None:
                nonlocal following
                following = None
                with suppress(SpoolUnavailable):  # which is met again below
                    following = await self._spool.first(after)

            async with trio.open_nursery() as beside:
                beside.start_soon(read_ahead)
                await store(spooled.batch)
            await self._spool.remove(spooled.sequence)
        async with self._turn:
            # Somebody may have got in line since.
            if await self._spool.first() is None:
                self._filled = trio.Event()
                log.info("loader.spool_empty")
