"""Changes of one connector take turns, and who waited behind one that met an absent database does not ask it again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

import trio

from .errors import StorageUnavailable


class _Turn:
    """The lock of one connector. ``lost`` is why the last change was not made, and when that was known."""

    def __init__(self) -> None:
        self.lock = trio.Lock()
        self.lost: tuple[float, str] | None = None


class Turns:
    """By connector id; forgotten as soon as nobody has or wants one."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[str, _Turn] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, connector_id: str) -> AsyncIterator[None]:
        """Nobody else changes it for the length of the block.

        Raises StorageUnavailable when a change that was waited for found the database away: each would find that out
        for itself only after ten seconds, and so the last of many would wait for minutes.
        """
        turn = self._turns.setdefault(connector_id, _Turn())
        came = trio.current_time()
        async with turn.lock:
            if turn.lost is not None and turn.lost[0] > came:
                raise StorageUnavailable(turn.lost[1])
            try:
                yield
            except StorageUnavailable as error:
                turn.lost = (trio.current_time(), str(error))
                raise
