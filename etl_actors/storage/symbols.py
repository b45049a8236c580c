"""Keeps the symbol tables that sources published, so that a restart needs no fresh answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from psycopg.types.json import Jsonb

from .pool import Pool
from .translation import translated


async def store_symbols(pool: Pool, source_id: str, pairs: Mapping[str, tuple[str, str]], fetched_at: datetime) -> None:
    """Replace the stored table of ``source_id``."""
    async with pool.connection() as connection:
        with translated():
            await connection.execute(
                "INSERT INTO symbol_tables (source_id, pairs, fetched_at) VALUES (%s, %s, %s)"
                " ON CONFLICT (source_id) DO UPDATE SET pairs = excluded.pairs, fetched_at = excluded.fetched_at",
                (source_id, Jsonb(pairs, dumps=msgspec.json.encode), fetched_at),
            )
