"""The schema, as numbered SQL files, and the one function that applies them: in order, once, whoever else starts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib import resources
from typing import Any

import psycopg
from psycopg import AsyncConnection

DIARY = "schema_migrations"

_LOCK = 0x65746C5F61637472  # "etl_actr": every service that migrates this database waits for this advisory lock


def known_migrations() -> list[tuple[int, str, str]]:
    """``(version, name, sql)`` of every file here, in order."""
    found = []
    for file in resources.files(__package__).iterdir():
        if file.name.endswith(".sql"):
            version, _, name = file.name.removesuffix(".sql").partition("_")
            found.append((int(version), name, file.read_text(encoding="utf-8")))
    return sorted(found)


@asynccontextmanager
async def taking_turns(
    connection: AsyncConnection[Any], progress: Callable[[str], None] = lambda step: None
) -> AsyncIterator[None]:
    """For the length of the block nobody else prepares this database; blocks of one connection may nest."""
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
    if await cursor.fetchone() != (True,):
        progress("waiting for another service that prepares the database")
        await connection.execute("SET statement_timeout = 0")  # a takeover may take hours
        await connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        yield
    finally:
        with suppress(psycopg.Error):  # a session that is broken has lost the lock with everything else
            await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


async def migrate(connection: AsyncConnection[Any]) -> list[str]:
    """Apply what this database has not seen yet, each file in a transaction of its own; returns the names applied.

    ``connection`` must be in autocommit mode. Two services that start together take turns.
    """
    applied = []
    async with taking_turns(connection):
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
    return applied
