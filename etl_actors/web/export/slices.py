"""Rows as they come from storage: a slice at a time, fetched when the one before it is on its way.

Neither a connection nor a snapshot of the database is held while a slow client reads, and a client that goes away
leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any, Self

Rows = Sequence[Any]

# What is encoded without letting others have a turn.
_SHORT = 500


class Slices:
    """The slices of one export, the first of which is fetched already. To be closed, however far it was read."""

    def __init__(self, first: Rows | None, rest: AsyncGenerator[Rows, None]) -> None:
        self._first = first
        self._rest = rest

    @classmethod
    async def begin(cls, slices: AsyncGenerator[Rows, None]) -> Self:
        """Fetch the first slice: what fails at once can then still be told with a status."""
        return cls(await anext(slices, None), slices)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Rows:
        if self._first is None:
            return await anext(self._rest)
        first, self._first = self._first, None
        return first

    async def aclose(self) -> None:
        """Let go of what the reading held."""
        await self._rest.aclose()


def short(rows: Rows) -> Iterator[Rows]:
    """The same rows in pieces that are encoded in a few milliseconds; others have a turn between them."""
    for start in range(0, len(rows), _SHORT):
        yield rows[start : start + _SHORT]
