"""How long the loader asks storage before it takes no for an answer."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import structlog
import trio

from ..errors import StorageUnavailable

log = structlog.get_logger("loader")

T = TypeVar("T")

# Where the database says no, and where it says nothing, which may only mean that it is slow.
PATIENCE_SECONDS = 1.0
SILENCE_SECONDS = 5.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0


class Patience:
    """Asks again and again. ``last_error`` is why storage did not answer, None while it does."""

    def __init__(self) -> None:
        self.last_error: str | None = None
        self._end = math.inf
        self._asking: set[trio.CancelScope] = set()

    def end_at(self, moment: float) -> None:
        """At that ``moment`` of trio's clock it ends: whoever asks then is told no, or waits until he is cancelled."""
        self._end = min(self._end, moment)
        for scope in self._asking:
            scope.deadline = min(scope.deadline, self._end)

    async def ask(self, question: Callable[[], Awaitable[T]], *, for_ever: bool) -> T:
        """What storage answers, as soon as it does. Raises StorageUnavailable when it does not, unless ``for_ever``.

        A line may have gone dead without a word, so a question without an answer is asked again, by another; each time
        it has twice as long, since it may only take long.
        """
        started, pause, silence = trio.current_time(), _FIRST_PAUSE_SECONDS, SILENCE_SECONDS
        reason = _silent(silence)
        longest = math.inf if for_ever else started + SILENCE_SECONDS
        with trio.CancelScope(deadline=min(longest, self._end)) as asking, self._noted(asking):
            while True:
                with trio.move_on_after(silence if for_ever else math.inf) as attempt:
                    try:
                        answer = await question()
                    except StorageUnavailable as error:
                        reason = str(error)
                        self._lost(reason)
                    else:
                        if self.last_error is not None:
                            log.info("loader.storage_found")
                        self.last_error = None
                        return answer
                if attempt.cancelled_caught:
                    self._lost(_silent(silence))
                    silence *= 2
                if not for_ever:
                    asking.deadline = min(asking.deadline, started + PATIENCE_SECONDS)
                await trio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - spreads retries, keeps no secret
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        if for_ever:
            await trio.sleep_forever()
        if trio.current_time() < started + SILENCE_SECONDS and self.last_error is None:
            reason = "it did not answer before the service stopped"
        self._lost(reason)
        raise StorageUnavailable(reason)

    @contextmanager
    def _noted(self, scope: trio.CancelScope) -> Iterator[None]:
        self._asking.add(scope)
        try:
            yield
        finally:
            self._asking.discard(scope)

    def _lost(self, reason: str) -> None:
        if self.last_error is None:
            log.warning("loader.storage_lost", error=reason)
        self.last_error = reason


def _silent(seconds: float) -> str:
    return f"it said nothing for {seconds:g} s"
