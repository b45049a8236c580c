"""Rows as NDJSON: one JSON object a line, with every digit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec
import trio

from .slices import Slices, short


async def ndjson_pieces(slices: Slices) -> AsyncIterator[bytes]:
    """The file, a piece a slice."""
    async with aclosing(slices):
        async for rows in slices:
            for some in short(rows):
                yield b"".join(msgspec.json.encode(row) + b"\n" for row in some)
                await trio.lowlevel.checkpoint()
