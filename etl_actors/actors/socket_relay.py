"""Follows a stream over one socket after another, the next one open before the last is closed.

A socket is replaced when it is old enough, when its provider says goodbye, and when somebody asks for it. The new one
opens and shakes hands beside the old one; both are read for ``overlap_seconds``; then the old one ends and the new one
leads (see ``socket_overlap``). When no new one opens, the old one goes on and another try is made later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf

import trio

from ..errors import PollFailed
from ..settings import ConnectorSettings
from .socket_calls import Calls
from .socket_intake import Frame
from .socket_line import Line
from .socket_needs import FrameRules
from .socket_overlap import Overlap

# How long a socket that lags behind the other one is waited for.
LAG_SECONDS = 30.0
# How long what is held is passed on when everything is to end.
RESCUE_SECONDS = 5.0


class Relay:
    """One unbroken run of a stream. ``take`` passes a frame on; ``not_replaced`` says for how long to leave it.

    ``cut_off``: it was ended in the middle, as there was no room for more.
    """

    def __init__(
        self,
        connector: ConnectorSettings,
        rules: FrameRules,
        calls: Calls,
        *,
        new_line: Callable[[Overlap | None, Callable[[], None]], Line],
        reports_error: Callable[[Frame], bool],
        take: Callable[[Frame], Awaitable[None]],
        replaced: Callable[[], None],
        not_replaced: Callable[[PollFailed], float],
    ) -> None:
        self._connector = connector
        self._rules = rules
        self._calls = calls
        self._new_line = new_line
        self._reports_error = reports_error
        self._take = take
        self._replaced = replaced
        self._not_replaced = not_replaced
        self._retry_at: float | None = None
        self.front = new_line(None, lambda: None)
        self.copies = 0
        self.cut_off = False

    async def run(self) -> PollFailed | None:
        """Until the stream breaks, and why it did; None when it was asked to be silent."""
        async with trio.open_nursery() as lines:
            lines.start_soon(self.front.run, self._keep)
            while True:
                front, calls, ready = self.front, self._calls, self.front.ready
                await calls.until(_to_decide(front, calls, ready), self._due())
                if calls.silent:
                    self.cut_off = calls.held and front.ready
                    await self._stop(front)
                    return None
                if front.ended:
                    return front.failure
                if not front.ready:
                    calls.reconnect = False  # it is being connected
                elif calls.reconnect or trio.current_time() >= self._due():
                    await self._succeed(lines)

    def _due(self) -> float:
        """When the line that leads is to be replaced."""
        if self._retry_at is not None:
            return self._retry_at
        age = self._connector.max_age_seconds
        # A line that is not ready has no age: inf stays inf.
        return inf if age is None else self.front.ready_at + age

    async def _succeed(self, lines: trio.Nursery) -> None:
        """Puts a new line in front, if one opens."""
        front, calls = self.front, self._calls
        calls.reconnect, self._retry_at = False, None
        overlap = Overlap(self._rules)

        def opened() -> None:
            front.successor = overlap  # what came before, the new line cannot bring

        back = self._new_line(overlap, opened)
        lines.start_soon(back.run, self._keep)
        try:
            await calls.until(lambda: back.ready or back.ended or calls.silent)
            await self._read_both(front, back, overlap)
        except trio.Cancelled:
            await self._rescue(overlap)
            raise
        if calls.silent or (back.ended and not front.ended):
            await self._stop(back)
            front.successor = None
            if back.failure is not None:
                self._retry_at = trio.current_time() + self._not_replaced(back.failure)
            return
        await self._stop(front)
        await self._release(overlap)
        overlap.until = trio.current_time() + LAG_SECONDS
        back.leads = True
        self.front = back
        calls.ring()
        if not back.ended:
            self._replaced()

    async def _read_both(self, front: Line, back: Line, overlap: Overlap) -> None:
        """Until the old line has brought all that the new one does not, as far as can be told."""

        def over() -> bool:
            return front.ended or back.ended or self._calls.silent or not overlap.has_room

        seconds = self._connector.overlap_seconds
        await self._calls.until(over, trio.current_time() + seconds)
        if overlap.stirred and not overlap.met:
            # One of them lags. Where bodies differ from socket to socket, and no key says so, they never meet.
            await self._calls.until(lambda: over() or overlap.met, trio.current_time() + LAG_SECONDS)
            await self._calls.until(over, trio.current_time() + seconds)

    async def _release(self, overlap: Overlap) -> None:
        """Passes on what the new line holds. It goes on holding meanwhile, so that nothing overtakes."""
        try:
            while (frame := overlap.release()) is not None:
                await self._pass_on(frame, overlap)
                self._calls.ring()
        except trio.Cancelled:
            await self._rescue(overlap)
            raise

    async def _rescue(self, overlap: Overlap) -> None:
        """Somebody stops us: what the new line has read whole, and the old one has not brought, is passed on yet."""
        with trio.move_on_after(RESCUE_SECONDS, shield=True):
            while (frame := overlap.release()) is not None:
                await self._pass_on(frame, overlap)

    async def _keep(self, line: Line, frame: Frame) -> None:
        """What becomes of a frame that ``line`` brought."""
        if self._rules.says_goodbye(frame.document):
            # Of two lines only the one in front is to be replaced.
            if line is self.front:
                self._calls.ask_reconnect()
            return
        if self._rules.ignored(frame.document) and not self._reports_error(frame):
            return
        overlap = line.predecessor
        if overlap is not None and not line.leads:
            # No more is read than can be held.
            held = overlap
            await self._calls.until(lambda: line.leads or line.stopping or held.has_room)
            if not line.leads:
                overlap.hold(frame)
                if overlap.met or not overlap.has_room:
                    self._calls.ring()
                return
        if overlap is not None and trio.current_time() > overlap.until:
            overlap = line.predecessor = None
        if line.successor is not None:
            line.successor.note(frame)
            if line.successor.met:
                self._calls.ring()
        await self._pass_on(frame, overlap)

    async def _pass_on(self, frame: Frame, overlap: Overlap | None) -> None:
        if overlap is not None and overlap.is_copy(frame):
            self.copies += 1
            return
        if overlap is not None:
            # From the first that is new on, copies are the exception.
            overlap.until = min(overlap.until, trio.current_time() + max(self._connector.overlap_seconds, 1.0))
        await self._take(frame)

    async def _stop(self, line: Line) -> None:
        line.stop()
        await self._calls.until(lambda: line.ended)


def _to_decide(front: Line, calls: Calls, ready: bool) -> Callable[[], bool]:
    """Whether something asks for a decision: what was ``ready`` or not, is it no longer."""
    return lambda: front.ended or calls.silent or calls.reconnect or front.ready != ready
