"""The way to the loader for what no connector read: a caller asked for it, and waits until it is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from .errors import NotDrained
from .ledger import Ledger
from .messages import Event, Transformed


class SideDoor:
    """Open while the service takes things in."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._send: trio.MemorySendChannel[Transformed] | None = None

    @asynccontextmanager
    async def open(self, transformed_send: trio.MemorySendChannel[Transformed]) -> AsyncIterator[None]:
        """For the length of the block, parts that come in here go out there."""
        async with transformed_send.clone() as self._send:
            yield

    def close_nowait(self) -> None:
        """The service stops."""
        self._send = None

    async def store(self, part: Transformed, *, seconds: float) -> Event | None:
        """Hand ``part`` to the loader and wait until it is settled; None when it has no event.

        NotDrained when the service stops, or when either takes longer than ``seconds``.
        """
        if self._send is None:
            raise NotDrained("the service is stopping")
        settlement = self._ledger.accept(part.extraction_id, part.connector_id)
        with trio.move_on_after(seconds) as handing:
            try:
                await self._send.send(part)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                self._ledger.withdraw(part.extraction_id)
                raise NotDrained("the service is stopping") from None
            except trio.Cancelled:
                self._ledger.withdraw(part.extraction_id)
                raise
        if handing.cancelled_caught:
            raise NotDrained(f"the database took nothing for {seconds:g} s")
        with trio.move_on_after(seconds):
            return await settlement.wait()
        raise NotDrained(f"it is not stored after {seconds:g} s, and will be when the database can")
