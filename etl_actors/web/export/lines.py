"""Rows as NDJSON: one JSON object a line, with every digit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec

from .slices import Slices, short_slices


async def ndjson_pieces(slices: Slices) -> AsyncIterator[bytes]:
    """The file, a piece a slice."""
    async with aclosing(short_slices(slices)) as parts:
        async for rows in parts:
            yield b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
