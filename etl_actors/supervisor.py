"""Restarts what crashes, with backoff and jitter, and gives up when that does not help. It knows no actor.

An actor is any async callable. One that returns has finished; one that raises is started again after a pause that
doubles and is drawn at random up to its bound (full jitter). More than ``intensity`` crashes within ``period_seconds``
mean that restarting does not help: :class:`GaveUp` is raised, and whoever supervises the supervisor decides.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog
import trio
from msgspec import Struct

from .errors import Ended, EtlActorsError

log = structlog.get_logger("supervisor")


class GaveUp(EtlActorsError):
    """An actor crashed too often. The text is one sentence."""


class Restarts(Struct, frozen=True, kw_only=True):
    """How often, how long apart. ``parked_seconds`` is the pause once the intensity is exceeded; None gives up."""

    intensity: int
    period_seconds: float = 30.0
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 5.0
    parked_seconds: float | None = None


CONNECTORS = Restarts(intensity=5, parked_seconds=60.0)
OURS = Restarts(intensity=3)


ACTOR_STATES = ("running", "restarting", "parked", "finished", "failed")


class ActorStatistics(Struct, frozen=True, kw_only=True):
    """What the status route shows of one actor; ``state`` is one of ``ACTOR_STATES``."""

    name: str
    state: str
    restarts: int
    last_error: str | None
    last_error_at: datetime | None


class Supervised:
    """One actor under supervision."""

    def __init__(
        self, name: str, restarts: Restarts, *, draw: Callable[[float, float], float] = random.uniform
    ) -> None:
        self.name = name
        self._rule = restarts
        self._draw = draw
        self._state = "running"
        self._restarts = 0
        self._last_error: str | None = None
        self._last_error_at: datetime | None = None

    def statistics(self) -> ActorStatistics:
        """A snapshot."""
        return ActorStatistics(
            name=self.name,
            state=self._state,
            restarts=self._restarts,
            last_error=self._last_error,
            last_error_at=self._last_error_at,
        )

    async def run(self, actor: Callable[[], Awaitable[None]]) -> None:
        """Run ``actor`` until it finishes; raises :class:`GaveUp` when it keeps crashing and must not be parked."""
        crashes: deque[float] = deque()
        while True:
            self._state = "running"
            try:
                await actor()
            except Exception as error:  # supervision is for what nobody foresaw
                self._note(error)
            else:
                self._state = "finished"
                return
            now = trio.current_time()
            crashes.append(now)
            while crashes[0] < now - self._rule.period_seconds:
                crashes.popleft()
            await trio.sleep(self._pause(len(crashes)))
            self._restarts += 1

    def _pause(self, crashes: int) -> float:
        if crashes > self._rule.intensity:
            if self._rule.parked_seconds is None:
                self._state = "failed"
                raise GaveUp(
                    f"{self.name} crashed {crashes} times in {self._rule.period_seconds:g} s: {self._last_error}"
                )
            self._state = "parked"
            return self._draw(self._rule.parked_seconds / 2, self._rule.parked_seconds)
        self._state = "restarting"
        longest = min(self._rule.longest_pause_seconds, self._rule.first_pause_seconds * 2**crashes)
        return self._draw(0.0, longest)

    def _note(self, error: Exception) -> None:
        self._last_error_at = datetime.now(UTC)
        if isinstance(error, Ended):
            # Nothing of ours is wrong, so there is no place in our code to tell of.
            self._last_error = str(error)
            log.error("actor.ended", actor=self.name, error=self._last_error)
            return
        first: BaseException = error
        while isinstance(first, BaseExceptionGroup):  # what a nursery makes of what happened in it
            first = first.exceptions[0]
        self._last_error = f"{type(first).__name__}: {first}"
        log.error("actor.crashed", actor=self.name, error=self._last_error, exc_info=error)
