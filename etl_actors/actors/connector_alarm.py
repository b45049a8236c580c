"""What wakes a connector: its tick, a trigger, or a resume; and what keeps it asleep: a pause."""

from __future__ import annotations

from math import inf

import trio


class Alarm:
    """Rings at ``due``, a moment of trio's clock, unless paused; at once when triggered."""

    def __init__(self) -> None:
        self.due = -inf
        self.paused = False
        self._triggered = False
        self._nudge = trio.Event()

    async def wait(self) -> bool:
        """Until it rings; True when a trigger did it."""
        await trio.lowlevel.checkpoint()
        while not self._triggered and (self.paused or trio.current_time() < self.due):
            self._nudge = trio.Event()
            with trio.move_on_at(inf if self.paused else self.due):
                await self._nudge.wait()
        return self._triggered

    def trigger(self) -> None:
        """Rings now, once."""
        self._triggered = True
        self._nudge.set()

    def answer(self) -> None:
        """The poll begins: triggers so far are served by it."""
        self._triggered = False

    def pause(self, paused: bool) -> bool:
        """Stays silent, or no longer; False when it did already."""
        changed = self.paused != paused
        self.paused = paused
        self._nudge.set()
        return changed
