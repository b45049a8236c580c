"""Rows as they come from storage: a slice at a time, fetched when the one before it is on its way.

Neither a connection nor a snapshot of the database is held while a slow client reads, and a client that goes away
leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import trio

Rows = Sequence[Any]
Slices = AsyncGenerator[Rows, None]

# What is encoded without letting others have a turn.
_SHORT = 500


async def begun(slices: Slices) -> Slices:
    """``slices``, the first of which is fetched already: what fails at once can still be told with a status."""
    first = await anext(slices, None)
    return _resumed(first, slices)


async def short_slices(slices: Slices) -> Slices:
    """The same rows in slices that are encoded in a few milliseconds."""
    async with aclosing(slices):
        async for rows in slices:
            for start in range(0, len(rows), _SHORT):
                yield rows[start : start + _SHORT]
                await trio.lowlevel.checkpoint()


async def _resumed(first: Rows | None, slices: Slices) -> Slices:
    async with aclosing(slices):
        if first is not None:
            yield first
            async for rows in slices:
                yield rows
