"""The schema, as numbered SQL files, and the one function that applies them: in order, once, whoever else starts."""

from __future__ import annotations

from importlib import resources
from typing import Any

from psycopg import AsyncConnection

_LOCK = 0x65746C5F61637472  # "etl_actr": every service that migrates this database waits for this advisory lock


def known_migrations() -> list[tuple[int, str, str]]:
    """``(version, name, sql)`` of every file here, in order."""
    found = []
    for file in resources.files(__package__).iterdir():
        if file.name.endswith(".sql"):
            version, _, name = file.name.removesuffix(".sql").partition("_")
            found.append((int(version), name, file.read_text(encoding="utf-8")))
    return sorted(found)


async def migrate(connection: AsyncConnection[Any]) -> list[str]:
    """Apply what this database has not seen yet, each file in a transaction of its own; returns the names applied.

    ``connection`` must be in autocommit mode. Two services that start together take turns.
    """
    applied = []
    await connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        cursor = await connection.execute("SELECT version FROM schema_migrations")
        seen = {row[0] for row in await cursor.fetchall()}
        for version, name, sql in known_migrations():
            if version not in seen:
                async with connection.transaction():
                    await connection.execute(sql.encode())
                    await connection.execute(
                        "INSERT INTO schema_migrations (version, name) VALUES (%s, %s)", (version, name)
                    )
                applied.append(name)
    finally:
        await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return applied
