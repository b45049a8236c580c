"""The janitor: keeps what is stored within its limits, a little at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

import structlog
import trio
from msgspec import Struct

from ..errors import StorageUnavailable
from .steady_clock import SteadyClock

log = structlog.get_logger("janitor")


class Store(Protocol):
    """Drops what is over its limits; returns how many bytes are stored afterwards."""

    async def sweep(self, now: datetime) -> int: ...


class JanitorStatistics(Struct, frozen=True, kw_only=True):
    """What the last sweep found."""

    sweeps: int
    stored_bytes: int
    last_error: str | None


class Janitor:
    """Sweeps every ``every_seconds``."""

    def __init__(self, *stores: Store, every_seconds: float = 15.0) -> None:
        self._stores = stores
        self._every_seconds = every_seconds
        self._clock = SteadyClock(lambda: datetime.now(UTC))
        self._sweeps = 0
        self._stored_bytes = 0
        self._last_error: str | None = None

    def statistics(self) -> JanitorStatistics:
        """A snapshot."""
        return JanitorStatistics(sweeps=self._sweeps, stored_bytes=self._stored_bytes, last_error=self._last_error)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                now = self._clock()
                self._stored_bytes = sum([await store.sweep(now) for store in self._stores])
                self._last_error = None
                self._sweeps += 1
            except StorageUnavailable as error:
                self._last_error = str(error)
                log.warning("janitor.sweep_failed", error=str(error))
            await trio.sleep(self._every_seconds)
