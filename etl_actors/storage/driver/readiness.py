"""Waiting for a socket on trio, on behalf of psycopg's protocol generators.

psycopg writes PostgreSQL's protocol as generators: each runs until it would block, yields what it waits for
(``Wait.R``, ``Wait.W`` or both), is sent what became ready (``Ready``), and returns its value by ``StopIteration``. Who
does the waiting is left open; here it is trio's event loop, without threads and without asyncio.

Asking the kernel first (one ``poll`` that returns at once) is far cheaper than a turn of the event loop and mostly
answers a wish to write. So that a long row of such quick successes (a COPY, a large result) does not hold the loop, the
loop is given a turn whenever the last one lies more than ``BUSY_SECONDS`` back.
"""

from __future__ import annotations

import select
from collections.abc import Generator
from time import monotonic
from typing import Any, TypeVar

import trio
from psycopg import OperationalError
from psycopg.errors import _WaitTimeout
from psycopg.waiting import Ready, Wait

T = TypeVar("T")

BUSY_SECONDS = 0.004

_EVENTS = {
    Wait.R: select.POLLIN,
    Wait.W: select.POLLOUT,
    Wait.RW: select.POLLIN | select.POLLOUT,
}
# An error or a hang-up counts as ready for whatever was wanted: the next read or write tells what happened.
_READABLE = select.POLLIN | select.POLLERR | select.POLLHUP
_WRITABLE = select.POLLOUT | select.POLLERR | select.POLLHUP
_STATES = (Ready.NONE, Ready.R, Ready.W, Ready.RW)


def ready_nowait(fileno: int, want: Wait) -> Ready:
    """What of ``want`` the socket is ready for now; ``Ready.NONE`` when it would block.

    Raises ``psycopg.OperationalError`` when the descriptor is closed.
    """
    poll = select.poll()
    poll.register(fileno, _EVENTS[want])
    found = poll.poll(0)
    if not found:
        return Ready.NONE
    events = found[0][1]
    if events & select.POLLNVAL:
        raise OperationalError("the connection's socket is closed")
    readable = bool(events & _READABLE and want & Wait.R)
    writable = bool(events & _WRITABLE and want & Wait.W)
    return _STATES[readable + 2 * writable]


async def wait_ready(fileno: int, want: Wait) -> Ready:
    """Suspend until the socket is ready for something of ``want``.

    Raises ``trio.ClosedResourceError`` when the connection is closed meanwhile by another task.
    """
    if want is Wait.R:
        await trio.lowlevel.wait_readable(fileno)
        return Ready.R
    if want is Wait.W:
        await trio.lowlevel.wait_writable(fileno)
        return Ready.W
    return await _wait_either(fileno)


async def _wait_either(fileno: int) -> Ready:
    # Rare: a send buffer is full while the server may be sending too. Only this case pays for a nursery. A closed
    # socket is caught inside it, so that no exception group comes out.
    ready = Ready.NONE
    closed = False

    async def wait_for(wait: Any, state: Ready) -> None:
        nonlocal ready, closed
        try:
            await wait(fileno)
        except trio.ClosedResourceError:
            closed = True
        else:
            ready = _STATES[ready | state]
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_for, trio.lowlevel.wait_readable, Ready.R)
        nursery.start_soon(wait_for, trio.lowlevel.wait_writable, Ready.W)
    if closed:
        raise trio.ClosedResourceError
    return ready


class Driver:
    """Runs the protocol generators of one connection; remembers when the event loop last had its turn."""

    __slots__ = ("_last_turn",)

    def __init__(self) -> None:
        self._last_turn = 0.0

    async def run(self, generator: Generator[Wait, Ready, T], fileno: int) -> T:
        """Run ``generator`` to its end, fresh or suspended half way, on a socket that stays the same."""
        try:
            want = next(generator)
        except StopIteration as end:
            # A row of a COPY ends here: this path is taken a million times a second.
            if monotonic() - self._last_turn >= BUSY_SECONDS:
                await self._take_turn()
            return end.value  # type: ignore[no-any-return]  # StopIteration is not generic
        while True:
            ready = ready_nowait(fileno, want)
            if not ready:
                ready = await self._wait_ready(fileno, want)
            elif monotonic() - self._last_turn >= BUSY_SECONDS:
                await self._take_turn()
            try:
                want = generator.send(ready)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # see above

    async def run_for(self, generator: Generator[Wait, Ready, T], fileno: int, seconds: float) -> T:
        """The same within ``seconds``, for a generator that only reads; what has arrived by then is still taken.

        Raises psycopg's ``_WaitTimeout``, as its ``notifies(timeout=…)`` expects.
        """
        with trio.move_on_after(max(0.0, seconds)):
            return await self.run(generator, fileno)
        if ready := ready_nowait(fileno, Wait.R):
            try:
                generator.send(ready)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # see above
        raise _WaitTimeout("wait timeout expired")

    async def run_moving(self, generator: Generator[tuple[int, Wait], Ready, T]) -> T:
        """Run a generator that opens sockets (connect, cancel) and yields ``(fileno, want)``; it ends closed."""
        try:
            fileno, want = next(generator)
            while True:
                ready = await self._wait_ready(fileno, want)
                fileno, want = generator.send(ready)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # see above
        finally:
            # Given up half way, it holds a socket that only its end releases.
            generator.close()

    async def _wait_ready(self, fileno: int, want: Wait) -> Ready:
        try:
            return await wait_ready(fileno, want)
        finally:
            self._last_turn = monotonic()

    async def _take_turn(self) -> None:
        try:
            await trio.lowlevel.checkpoint()
        finally:
            self._last_turn = monotonic()
