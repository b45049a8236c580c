"""Keeps all connectors of one provider inside what it allows.

Two means. Intervals are stretched so that the steady pace of all fits (:mod:`.quota` does the sums). And a gate, first
come first served, that lets nobody through who would exceed an allowance now: with stretched intervals it is normally
open, and it closes for bursts, bans, and when the provider's headers say that the quota is used up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import inf

import trio
from msgspec import Struct

from ..settings import LimitSettings
from .quota import Allowance, Demand, Window, allowances_of, stretched
from .quota_headers import hold_seconds


class WindowUse(Struct, frozen=True, kw_only=True):
    """How much of one allowance was used in the last ``seconds``; it counts each call's cost when ``weighed``."""

    seconds: float
    weighed: bool
    allowed: float
    used: float


class LimitStatistics(Struct, frozen=True, kw_only=True):
    """How a provider's allowance is used: by how many connectors, and for how long nobody is let through."""

    connectors: int
    held_seconds: float
    windows: tuple[WindowUse, ...]


class Limit:
    """One provider's allowance, shared by every connector that names it."""

    def __init__(
        self,
        settings: LimitSettings,
        *,
        clock: Callable[[], float] = trio.current_time,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._now = now
        self._allowances: tuple[Allowance, ...] = allowances_of(settings)
        self._windows = [Window(allowance) for allowance in self._allowances]
        self._demands: dict[str, Demand] = {}
        self._intervals: dict[str, float] = {}
        self._held_until = -inf
        self._gate = trio.StrictFIFOLock()
        self._changed = trio.Event()

    @property
    def settings(self) -> LimitSettings:
        """What is declared now."""
        return self._settings

    def change(self, settings: LimitSettings) -> None:
        """The provider allows something else from now on. What was used of a window of the same length stays used, and
        whoever waits at the gate is judged anew.
        """
        used = {(window.allowance.seconds, window.allowance.weighed): window for window in self._windows}
        self._settings = settings
        self._allowances = allowances_of(settings)
        self._windows = [
            Window(allowance, used.get((allowance.seconds, allowance.weighed))) for allowance in self._allowances
        ]
        self._intervals = stretched(self._demands, self._allowances)
        self._changed.set()
        self._changed = trio.Event()

    def statistics(self) -> LimitStatistics:
        """A snapshot."""
        now = self._clock()
        return LimitStatistics(
            connectors=len(self._demands),
            held_seconds=self.held_seconds(),
            windows=tuple(
                WindowUse(
                    seconds=window.allowance.seconds,
                    weighed=window.allowance.weighed,
                    allowed=window.allowance.amount,
                    used=window.used(now),
                )
                for window in self._windows
            ),
        )

    def join(self, connector_id: str, interval_seconds: float, cost: float = 1) -> None:
        """A connector shares this limit from now on; again with other figures replaces them."""
        self._demands[connector_id] = Demand(interval_seconds, cost)
        self._intervals = stretched(self._demands, self._allowances)

    def leave(self, connector_id: str) -> None:
        """A connector is gone; one that never joined may leave too."""
        self._demands.pop(connector_id, None)
        self._intervals = stretched(self._demands, self._allowances)

    def effective_interval(self, connector_id: str) -> float:
        """How many seconds apart this connector's calls are; KeyError for one that has not joined."""
        return self._intervals[connector_id]

    def throttled(self, connector_id: str) -> bool:
        """Whether this connector is slower than it wants to be."""
        demand = self._demands.get(connector_id)
        if demand is None:
            return False
        return self.held_seconds() > 0 or self._intervals[connector_id] > demand.interval * (1 + 1e-9)

    def spread_seconds(self, connector_id: str) -> float:
        """This connector's place within its stretched interval, so that their calls come evenly; 0 when none is."""
        interval = self._intervals[connector_id]
        if interval <= self._demands[connector_id].interval * (1 + 1e-9):
            return 0.0
        return interval * sorted(self._demands).index(connector_id) / len(self._demands)

    def held_seconds(self) -> float:
        """For how long nobody is let through; 0 when the gate is not held."""
        return max(self._held_until - self._clock(), 0.0)

    async def admit(self, cost: float = 1) -> None:
        """Waits until a call of ``cost`` is allowed, and counts it."""
        async with self._gate:
            # Time opens the gate, or a change of the limit; a ban may come while we wait for either.
            while (wait := self._wait(cost)) > 0:
                with trio.move_on_after(wait):
                    await self._changed.wait()
            now = self._clock()
            for window in self._windows:
                window.use(cost, now)

    def observe(self, headers: Mapping[str, str]) -> None:
        """What an answer's headers say about the quota."""
        if self._settings.honour_headers:
            self._hold(hold_seconds(headers, self._settings.weight_per_minute, self._now()))

    def ban(self, seconds: float) -> None:
        """The provider blocks this address: everybody waits."""
        self._hold(seconds)

    def _hold(self, seconds: float) -> None:
        if seconds > 0:
            self._held_until = max(self._held_until, self._clock() + seconds)

    def _wait(self, cost: float) -> float:
        now = self._clock()
        return max(self.held_seconds(), *(window.wait(cost, now) for window in self._windows), 0.0)
