"""Who owns a connector: the claim that starts an epoch, and the checkpoint it continues from."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from ..messages import Checkpoint, Claim
from ..settings import ConnectorSettings
from .pool import Pool
from .translation import translated

# It may wait for a commit of whoever had the connector; a line that is dead is not waited for.
CLAIM_SECONDS = 10.0


class ClaimBook:
    """Claims connectors for one owner (a text that names this process, for people who look into the table)."""

    def __init__(self, pool: Pool, owner: str) -> None:
        self._pool = pool
        self._owner = owner

    async def claim(self, connector_id: str) -> Claim:
        """Begin a new epoch of the connector: from now on every older owner's commits are refused."""
        async with self._pool.connection(loan_seconds=CLAIM_SECONDS) as connection:
            cursor = await connection.execute(
                "INSERT INTO connector_state AS s (connector_id, epoch, owner) VALUES (%s, 1, %s)"
                " ON CONFLICT (connector_id) DO UPDATE"
                " SET epoch = s.epoch + 1, owner = excluded.owner, updated_at = CURRENT_TIMESTAMP"
                " RETURNING epoch, fingerprint, etag, last_modified, body_hash, cursor::text, told::text",
                (connector_id, self._owner),
            )
            row = await cursor.fetchone()
        assert row is not None
        epoch, fingerprint, etag, last_modified, body_hash, cursor_text, told = row
        return Claim(
            epoch=epoch,
            told=None if told is None else msgspec.json.decode(told),
            checkpoint=Checkpoint(
                fingerprint=bytes(fingerprint),
                etag=etag,
                last_modified=last_modified,
                body_hash=None if body_hash is None else bytes(body_hash),
                cursor=None if cursor_text is None else msgspec.json.decode(cursor_text),
            ),
        )

    async def register(self, connectors: tuple[ConnectorSettings, ...]) -> None:
        """Keep ``api_connectors`` in step with what config files say now. Raises StorageUnavailable."""
        async with self._pool.connection() as connection:
            with translated():
                await register_connectors(connection, connectors)


async def register_connectors(connection: AsyncConnection[Any], connectors: tuple[ConnectorSettings, ...]) -> None:
    """Keep ``api_connectors`` in step with the configuration."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO api_connectors AS c (connector_id, connector_name, source_id) VALUES (%s, %s, %s)"
            " ON CONFLICT (connector_id) DO UPDATE SET connector_name = excluded.connector_name,"
            " source_id = excluded.source_id, updated_at = CURRENT_TIMESTAMP"
            " WHERE c.definition IS NULL"
            " AND (c.connector_name, c.source_id) IS DISTINCT FROM (excluded.connector_name, excluded.source_id)",
            [(one.connector_id, one.api_name, one.source_id) for one in connectors],
        )
        await cursor.executemany(
            "INSERT INTO connector_exchanges (exchange, connector_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [(one.source_id, one.connector_id) for one in connectors if one.source_id],
        )
