"""Whether there is room for what is read: closed while neither the database nor the disk takes anything.

The loader closes it, when it has found no place for the batch in its hand, and opens it when it has. Connectors wait at
it before they read: a provider that is not asked loses nothing, and a full channel would stop the others at odd places.
"""

from __future__ import annotations

import trio


class Floodgate:
    """Open at first. ``reason`` is why it is closed, None while it is open."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._changed = trio.Event()

    def close_nowait(self, reason: str) -> None:
        """Nothing more is to be read, for this reason."""
        if self.reason != reason:
            self._turn(reason)

    def open_nowait(self) -> None:
        """Read on."""
        if self.reason is not None:
            self._turn(None)

    async def wait_open(self) -> None:
        """Until there is room."""
        while self.reason is not None:
            await self._changed.wait()

    async def wait_closed(self) -> None:
        """Until there is none."""
        while self.reason is None:
            await self._changed.wait()

    def _turn(self, reason: str | None) -> None:
        self.reason = reason
        self._changed.set()
        self._changed = trio.Event()
