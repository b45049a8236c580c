"""The table of keys: made, listed, revoked, and when each was used last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg.sql import SQL

from ..errors import TooManyKeys
from ..keys import KeyRecord, Scope, digest_of, hint_of
from .pool import Pool

MOST_KEYS = 1000
KEPT_DAYS = 90  # how long a key that ended is still listed

_COLUMNS = SQL("id, name, scope, hint, digest, created_at, expires_at, last_used_at, revoked_at")
_EVERY = SQL("true")
_ACTIVE = SQL("revoked_at IS NULL AND (expires_at IS NULL OR expires_at > CURRENT_TIMESTAMP)")
_ONE = SQL("id = %s")
# Whoever makes keys waits for this, so that their number is counted right.
_LOCK = 0x65746C5F6B657973  # "etl_keys"


class KeyBook:
    """Reads and writes keys. Every call may raise :class:`~etl_actors.errors.StorageUnavailable`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, key: str, *, name: str, scope: Scope, expires_at: datetime | None) -> KeyRecord:
        """Store what ``key`` is recognised by. Raises :class:`TooManyKeys`."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            await connection.execute(
                "DELETE FROM api_keys WHERE least(revoked_at, expires_at) < CURRENT_TIMESTAMP - %s * interval '1 day'",
                (KEPT_DAYS,),
            )
            counted = await (await connection.execute("SELECT count(*) FROM api_keys")).fetchone()
            assert counted is not None
            if counted[0] >= MOST_KEYS:
                raise TooManyKeys(
                    f"there are {counted[0]} keys already, and {MOST_KEYS} is the most: revoke some;"
                    f" revoked ones are forgotten after {KEPT_DAYS} days"
                )
            cursor = await connection.execute(
                SQL(
                    "INSERT INTO api_keys (name, scope, hint, digest, expires_at) VALUES (%s, %s, %s, %s, %s)"
                    " RETURNING {}"
                ).format(_COLUMNS),
                (name, scope, hint_of(key), digest_of(key), expires_at),
            )
            row = await cursor.fetchone()
        assert row is not None
        return _record(row)

    async def every(self) -> list[KeyRecord]:
        """All of them, those that ended lately too, in the order they were made."""
        return await self._select(_EVERY)

    async def active(self) -> list[KeyRecord]:
        """Those that open something now."""
        return await self._select(_ACTIVE)

    async def get(self, key_id: int) -> KeyRecord | None:
        """One of them."""
        found = await self._select(_ONE, key_id)
        return found[0] if found else None

    async def revoke(self, key_id: int) -> KeyRecord | None:
        """End a key now; one that was revoked before stays as it is. None when there is no such key."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                SQL(
                    "UPDATE api_keys SET revoked_at = coalesce(revoked_at, CURRENT_TIMESTAMP) WHERE {} RETURNING {}"
                ).format(_ONE, _COLUMNS),
                (key_id,),
            )
            row = await cursor.fetchone()
        return None if row is None else _record(row)

    async def note_uses(self, uses: Mapping[int, datetime]) -> None:
        """Remember when keys were used last."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE api_keys AS k SET last_used_at = greatest(k.last_used_at, u.at)"
                " FROM unnest(%s::bigint[], %s::timestamptz[]) AS u (id, at) WHERE k.id = u.id",
                (list(uses), list(uses.values())),
            )

    async def _select(self, where: SQL, *parameters: Any) -> list[KeyRecord]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                SQL("SELECT {} FROM api_keys WHERE {} ORDER BY id").format(_COLUMNS, where), parameters
            )
            return [_record(row) for row in await cursor.fetchall()]


def _record(row: tuple[Any, ...]) -> KeyRecord:
    key_id, name, scope, hint, digest, *times = row
    created_at, expires_at, last_used_at, revoked_at = times
    return KeyRecord(
        id=key_id,
        name=name,
        scope=scope,
        hint=hint,
        digest=bytes(digest),
        created_at=created_at,
        expires_at=expires_at,
        last_used_at=last_used_at,
        revoked_at=revoked_at,
    )
