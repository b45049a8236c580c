"""Row ids in blocks: one ``nextval`` reserves a whole block, so that rows have ids before they are copied.

A sequence with ``INCREMENT BY n`` hands each caller ``n`` ids that are its own. What is left of a block when the
process ends is never used: ids rise, with gaps.
"""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection


class IdBlocks:
    """Ids from the sequence ``name`` whose increment is ``size``."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._left: list[range] = []

    async def take(self, connection: AsyncConnection[Any], many: int) -> list[int]:
        """``many`` ids, rising."""
        missing = many - sum(map(len, self._left))
        if missing > 0:
            cursor = await connection.execute(
                "SELECT nextval(%s) FROM generate_series(1, %s)", (self._name, -(-missing // self._size))
            )
            self._left.extend(range(start, start + self._size) for (start,) in await cursor.fetchall())
        taken: list[int] = []
        while many > len(taken):
            block = self._left.pop(0)
            wanted = many - len(taken)
            taken.extend(block[:wanted])
            if len(block) > wanted:
                self._left.insert(0, block[wanted:])
        return taken
