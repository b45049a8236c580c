"""The connectors that were made over REST, as they are kept: one document each, with a version that only rises.

A change names the version it was made from, and only one of two that name the same takes place. What is in the places
of secrets is sealed before it comes here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from ..errors import ConnectorExists, ConnectorGone, VersionPassed
from .pool import Pool
from .rekeying import require_key
from .translation import translated


class Definition(Struct, frozen=True, kw_only=True):
    """One kept connector; times are UTC."""

    connector_id: str
    document: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime


class DefinitionBook:
    """Keeps definitions. Every call may raise :class:`~etl_actors.errors.StorageUnavailable`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def every(self) -> list[Definition]:
        """All of them, oldest first."""
        async with self._pool.connection() as connection:
            with translated():
                cursor = await connection.execute(
                    "SELECT connector_id, definition::text, version, created_at, updated_at FROM api_connectors"
                    " WHERE definition IS NOT NULL ORDER BY id"
                )
                return [_definition(row) for row in await cursor.fetchall()]

    async def get(self, connector_id: str) -> Definition | None:
        """One of them, or None."""
        async with self._pool.connection() as connection:
            with translated():
                cursor = await connection.execute(
                    "SELECT connector_id, definition::text, version, created_at, updated_at FROM api_connectors"
                    " WHERE connector_id = %s AND definition IS NOT NULL",
                    (connector_id,),
                )
                row = await cursor.fetchone()
        return None if row is None else _definition(row)

    async def create(
        self, connector_id: str, name: str, source_id: str, document: dict[str, Any], *, key_id: str
    ) -> Definition:
        """Keep a new one; :class:`ConnectorExists` when the id is taken. A row of a deleted one is used again.

        KeyRotated when ``key_id``, the key it is sealed under, is not the newest any more.
        """
        async with self._pool.connection() as connection:
            with translated():
                async with connection.transaction():
                    await require_key(connection, key_id)
                    cursor = await connection.execute(
                        "INSERT INTO api_connectors AS c (connector_id, connector_name, source_id, definition, version)"
                        " VALUES (%s, %s, %s, %s, 1) ON CONFLICT (connector_id) DO UPDATE"
                        " SET connector_name = excluded.connector_name, source_id = excluded.source_id,"
                        " definition = excluded.definition, version = c.version + 1,"
                        " created_at = CURRENT_TIMESTAMP, updated_at = CURRENT_TIMESTAMP"
                        " WHERE c.definition IS NULL"
                        " RETURNING connector_id, definition::text, version, created_at, updated_at",
                        (connector_id, name, source_id, _jsonb(document)),
                    )
                    row = await cursor.fetchone()
                    if row is None:
                        raise ConnectorExists(connector_id)
                    await _note_exchange(connection, connector_id, source_id)
        return _definition(row)

    async def replace(
        self, connector_id: str, name: str, source_id: str, document: dict[str, Any], *, key_id: str, version: int
    ) -> Definition:
        """Put ``document`` in the place of ``version``; VersionPassed when that is not the newest any more."""
        async with self._pool.connection() as connection:
            with translated():
                async with connection.transaction():
                    await require_key(connection, key_id)
                    cursor = await connection.execute(
                        "UPDATE api_connectors SET connector_name = %s, source_id = %s, definition = %s,"
                        " version = version + 1, updated_at = CURRENT_TIMESTAMP"
                        " WHERE connector_id = %s AND version = %s AND definition IS NOT NULL"
                        " RETURNING connector_id, definition::text, version, created_at, updated_at",
                        (name, source_id, _jsonb(document), connector_id, version),
                    )
                    row = await cursor.fetchone()
                    if row is None:
                        raise await _why_not(connection, connector_id)
                    await _note_exchange(connection, connector_id, source_id)
        return _definition(row)

    async def delete(self, connector_id: str, *, version: int) -> None:
        """Forget the definition and where its reading had come to; its data stays."""
        async with self._pool.connection() as connection:
            with translated():
                async with connection.transaction():
                    cursor = await connection.execute(
                        "UPDATE api_connectors SET definition = NULL, version = version + 1,"
                        " updated_at = CURRENT_TIMESTAMP"
                        " WHERE connector_id = %s AND version = %s AND definition IS NOT NULL RETURNING 1",
                        (connector_id, version),
                    )
                    if await cursor.fetchone() is None:
                        raise await _why_not(connection, connector_id)
                    # A new epoch: whatever is still on its way under the old one is refused.
                    await connection.execute(
                        "UPDATE connector_state SET epoch = epoch + 1, fingerprint = '', etag = NULL,"
                        " last_modified = NULL, body_hash = NULL, cursor = NULL, updated_at = CURRENT_TIMESTAMP"
                        " WHERE connector_id = %s",
                        (connector_id,),
                    )

    async def note(self, connector_id: str, name: str, source_id: str) -> None:
        """There is data of this id, whether or not a connector reads it."""
        async with self._pool.connection() as connection:
            with translated():
                await connection.execute(
                    "INSERT INTO api_connectors (connector_id, connector_name, source_id) VALUES (%s, %s, %s)"
                    " ON CONFLICT DO NOTHING",
                    (connector_id, name, source_id),
                )
                await _note_exchange(connection, connector_id, source_id)


async def _why_not(connection: AsyncConnection[Any], connector_id: str) -> Exception:
    cursor = await connection.execute(
        "SELECT 1 FROM api_connectors WHERE connector_id = %s AND definition IS NOT NULL", (connector_id,)
    )
    return ConnectorGone(connector_id) if await cursor.fetchone() is None else VersionPassed(connector_id)


async def _note_exchange(connection: AsyncConnection[Any], connector_id: str, source_id: str) -> None:
    if source_id:
        await connection.execute(
            "INSERT INTO connector_exchanges (exchange, connector_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (source_id, connector_id),
        )


def _definition(row: Any) -> Definition:
    connector_id, text, version, created_at, updated_at = row
    return Definition(
        connector_id=connector_id,
        document=msgspec.json.decode(text),
        version=version,
        created_at=created_at,
        updated_at=updated_at,
    )


def _jsonb(document: dict[str, Any]) -> Jsonb:
    return Jsonb(document, dumps=msgspec.json.encode)
