"""Moves what is sealed to another key, in one transaction, while services may be sealing more.

Who keeps a secret holds the shared lock and looks whether the key it sealed under was left meanwhile; who moves holds
the exclusive one. So nothing is ever kept under a key that was left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from ..errors import KeyRotated
from .pool import Pool
from .translation import translated

_LOCK = 0x65746C5F72656B79  # "etl_reky"


async def require_key(connection: AsyncConnection[Any], key_id: str) -> None:
    """Inside the transaction that keeps secrets: KeyRotated when ``key_id`` is not the key any more."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_LOCK,))
    cursor = await connection.execute("SELECT 1 FROM key_handover WHERE old_key_id = %s", (key_id,))
    if await cursor.fetchone() is not None:
        raise KeyRotated


async def handovers(pool: Pool) -> list[tuple[str, str, str]]:
    """``(new key id, old key id, sealed key)`` of every rotation that some service may not know of."""
    async with pool.connection() as connection:
        with translated():
            cursor = await connection.execute(
                "SELECT new_key_id, old_key_id, sealed_key FROM key_handover ORDER BY created_at"
            )
            return [(new, old, key) for new, old, key in await cursor.fetchall()]


async def forget_handovers(pool: Pool, old_key_ids: list[str]) -> None:
    """These keys are held by nobody any more."""
    async with pool.connection() as connection:
        with translated():
            await connection.execute("DELETE FROM key_handover WHERE old_key_id = ANY(%s)", (old_key_ids,))


async def move_secrets(
    pool: Pool, rewrap: Callable[[dict[str, Any]], dict[str, Any]], handover: tuple[str, str, str]
) -> int:
    """``rewrap`` every kept connector and leave ``handover``; how many had secrets to move. All of it, or nothing.

    Versions stay, since no setting changes: a client's change that is on its way is not refused for it.
    """
    async with pool.connection() as connection:
        with translated():
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                cursor = await connection.execute(
                    "SELECT connector_id, definition::text FROM api_connectors WHERE definition IS NOT NULL"
                    " ORDER BY id FOR UPDATE"
                )
                moved_secrets = 0
                for connector_id, text in await cursor.fetchall():
                    document = msgspec.json.decode(text)
                    moved = rewrap(document)
                    moved_secrets += moved != document
                    await connection.execute(
                        "UPDATE api_connectors SET definition = %s WHERE connector_id = %s",
                        (Jsonb(moved, dumps=msgspec.json.encode), connector_id),
                    )
                # Back to a key that was left before: what was left for those who held it leads nowhere now.
                await connection.execute("DELETE FROM key_handover WHERE old_key_id = %s", (handover[0],))
                await connection.execute(
                    "INSERT INTO key_handover (new_key_id, old_key_id, sealed_key) VALUES (%s, %s, %s)"
                    " ON CONFLICT (new_key_id) DO UPDATE"
                    " SET old_key_id = excluded.old_key_id, sealed_key = excluded.sealed_key",
                    handover,
                )
    return moved_secrets
