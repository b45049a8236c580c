"""The surveyor: keeps one source's symbol table (which pair is made of which assets) fresh.

A stored table, or the shipped snapshot, serves until the first answer. Connectors that need the table wait for
:attr:`Surveyor.ready`, which is set after the first attempt, so that a first start maps with what is said today.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
import trio
from msgspec import Struct
from msgspec.structs import replace

from ..errors import PayloadRefused, PollFailed, StorageUnavailable
from ..messages import Checkpoint, Reading
from .beside import beside

log = structlog.get_logger("surveyor")

Pairs = Mapping[str, tuple[str, str]]
SOONEST_RETRY_SECONDS = 5.0


class Source(Protocol):
    """Reads the source's answer; None when it did not change."""

    async def poll(self, checkpoint: Checkpoint) -> Reading | None: ...


class SurveyorStatistics(Struct, frozen=True, kw_only=True):
    """How many pairs are known, since when, and what went wrong last."""

    pairs: int
    refreshed_at: datetime | None
    last_error: str | None


class Surveyor:
    """Refreshes the table of ``source_id`` every ``refresh_seconds``; sooner, with growing pauses, after a failure."""

    def __init__(
        self,
        source_id: str,
        source: Source,
        *,
        read: Callable[[bytes], Pairs],
        publish: Callable[[Pairs], None],
        store: Callable[[Pairs, datetime], Awaitable[None]],
        admit: Callable[[], Awaitable[Any]],
        refresh_seconds: float,
        fingerprint: bytes,
        known_pairs: int = 0,
    ) -> None:
        self.source_id = source_id
        self.ready = trio.Event()
        self._source = source
        self._read = read
        self._publish = publish
        self._store = store
        self._admit = admit
        self._refresh_seconds = refresh_seconds
        self._checkpoint = Checkpoint(fingerprint=fingerprint)
        self._pairs = known_pairs
        self._refreshed_at: datetime | None = None
        self._last_error: str | None = None

    def statistics(self) -> SurveyorStatistics:
        """A snapshot."""
        return SurveyorStatistics(pairs=self._pairs, refreshed_at=self._refreshed_at, last_error=self._last_error)

    async def run(self) -> None:
        """Until cancelled."""
        pause = SOONEST_RETRY_SECONDS
        while True:
            try:
                await self._refresh()
            except (PollFailed, PayloadRefused) as error:
                self._last_error = str(error)
                log.warning("surveyor.refresh_failed", source_id=self.source_id, error=str(error))
                wait = min(pause, self._refresh_seconds)
                pause *= 2
            else:
                self._last_error = None
                wait, pause = self._refresh_seconds, SOONEST_RETRY_SECONDS
            self.ready.set()
            await trio.sleep(wait)

    async def _refresh(self) -> None:
        await self._admit()
        reading = await self._source.poll(self._checkpoint)
        self._refreshed_at = datetime.now(UTC)
        if reading is None:
            return
        pairs = await beside(reading.body, self._read)
        self._publish(pairs)
        self._pairs = len(pairs)
        self._checkpoint = replace(self._checkpoint, etag=reading.etag, last_modified=reading.last_modified)
        log.info("surveyor.symbols_refreshed", source_id=self.source_id, pairs=len(pairs))
        try:
            await self._store(pairs, self._refreshed_at)
        except StorageUnavailable as error:
            log.warning("surveyor.symbols_not_stored", source_id=self.source_id, error=str(error))
