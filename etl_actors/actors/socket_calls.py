"""What is asked of a socket connector from outside, and one bell for everything that changes while it runs."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import trio


class Calls:
    """``paused`` and ``reconnect`` are asked for, and ``held`` up it is when there is no room for what it would read;
    ``ring`` is called whenever something that is waited for may hold.
    """

    def __init__(self) -> None:
        self.paused = self.held = False
        self.reconnect = False
        self._bell = trio.Event()

    @property
    def silent(self) -> bool:
        """Whether there is to be no socket."""
        return self.paused or self.held

    def hold(self, held: bool) -> None:
        """No socket for as long as it is held."""
        self.held = held
        self.ring()

    def ring(self) -> None:
        """Whoever waits looks again."""
        self._bell.set()
        self._bell = trio.Event()

    async def until(self, holds: Callable[[], object], deadline: float = inf) -> None:
        """Until ``holds()``, or the deadline, a moment of trio's clock."""
        with trio.move_on_at(deadline):
            while not holds():
                await self._bell.wait()

    def pause(self, paused: bool) -> bool:
        """Asks for silence, or no longer; False when it was asked for already. Silence forgets a reconnect."""
        changed = self.paused != paused
        self.paused = paused
        self.reconnect = False
        self.ring()
        return changed

    def ask_reconnect(self) -> None:
        """Asks for a new socket now; while silent there is none to be had."""
        if not self.silent:
            self.reconnect = True
            self.ring()
