"""Long work in short turns: whoever builds a large body offers the loop to others every two milliseconds.

The wall clock decides only when to step aside; what is built does not depend on it.
"""

from __future__ import annotations

from time import perf_counter

import trio

_LONGEST_SECONDS = 0.002


class Turns:
    """Counts from its making; ``offer`` is called after each small piece."""

    def __init__(self) -> None:
        self._since = perf_counter()

    async def offer(self) -> None:
        """Lets others run, if this turn has been long enough."""
        if perf_counter() - self._since > _LONGEST_SECONDS:
            await trio.lowlevel.checkpoint()
            self._since = perf_counter()
