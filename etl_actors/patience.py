"""Waits for a database that does not answer yet: tries again and again, and says why it is not there.

Pauses are drawn at random below a bound that doubles (full jitter), so that services that were started together do not
come together. The reason goes to the log in the driver's own words, once a minute; strangers get to read less.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeVar

import structlog
import trio

from .errors import StorageUnavailable

log = structlog.get_logger("service")

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 3.0
TOLD_AGAIN_SECONDS = 60.0

T = TypeVar("T")


class Patience:
    """Opens what may not be there yet. ``progress`` is told once that it waits."""

    def __init__(
        self, progress: Callable[[str], None], *, draw: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._progress = progress
        self._draw = draw
        self._told: dict[str, float] = {}
        self._waiting = False
        self._reached = False

    def note_step(self, step: str) -> None:
        """What was waited for is there, and this is being done with it now."""
        self._reached = True
        self._progress(step)

    def reason(self) -> str:
        """What is waited for, in words for everybody."""
        if self._waiting and not self._reached:
            return "the database does not answer, and is waited for"
        return "the service is starting"

    @asynccontextmanager
    async def opened(self, opening: Callable[[], AbstractAsyncContextManager[T]]) -> AsyncIterator[T]:
        """``opening()``, tried until it does not raise ``StorageUnavailable`` any more; any other error goes on."""
        began, tries = trio.current_time(), 0
        while True:
            async with AsyncExitStack() as stack:
                try:
                    result = await stack.enter_async_context(opening())
                except StorageUnavailable as error:
                    tries += 1
                    self._tell(str(error), tries)
                else:
                    if self._waiting:
                        log.info("service.database_found", seconds=round(trio.current_time() - began, 1), tries=tries)
                    self._waiting = False
                    yield result
                    return
            await trio.sleep(self._draw(0.0, min(FIRST_PAUSE_SECONDS * 2.0 ** min(tries, 30), LONGEST_PAUSE_SECONDS)))

    def _tell(self, reason: str, tries: int) -> None:
        now = trio.current_time()
        self._told = {text: at for text, at in self._told.items() if now - at < TOLD_AGAIN_SECONDS}
        if reason not in self._told:
            self._told[reason] = now
            log.warning("service.database_awaited", reason=reason, tries=tries)
        if not self._waiting:
            self._progress("waiting for the database")
        self._waiting, self._reached = True, False
