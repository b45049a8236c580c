"""Files and their rows, as they are written: one transaction for each file, however large.

A service that is killed in the middle leaves nothing; a COMMIT whose answer is lost leaves a
question, which ``known`` answers later.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
import psycopg
import trio
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from ..errors import OutcomeUnknown, StorageRefused, StorageUnavailable
from ..messages import FileContents, NewFile, StoredFile
from .file_reader import FILE_COLUMNS, stored_file
from .pool import Pool
from .translation import translated

# How long a step of what somebody waits for may take; a file that is stored takes as long as it is parsed.
STEP_SECONDS = 10.0
COMMIT_SECONDS = 30.0
DELETE_ROWS = 20_000
_COPY = "COPY file_data (file_id, row_number, row_data) FROM STDIN"


class FileWriter:
    """Stores and deletes files. Its pool is its own: an upload holds a connection for as long as it is parsed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def ready(self) -> None:
        """Raises :class:`StorageUnavailable` when a file could not be stored now."""
        async with self._pool.connection(loan_seconds=STEP_SECONDS) as connection:
            with translated():
                await connection.execute("SELECT 1")

    async def store(
        self, new: NewFile, slices: AsyncIterator[Sequence[bytes]], contents: Callable[[], FileContents]
    ) -> StoredFile:
        """Store a file with its rows (JSON objects); ``contents()`` is asked when ``slices`` have ended.

        Raises :class:`StorageUnavailable` or :class:`StorageRefused`, and whatever ``slices`` and ``contents`` raise:
        then nothing is stored. After :class:`OutcomeUnknown` it may be.
        """
        async with self._pool.connection(timeout=None) as connection:
            try:
                with translated():
                    await connection.execute("BEGIN")
                    file_id = await _insert(connection, new)
                    await _copy(connection, file_id, slices)
                    stored = await _complete(connection, file_id, contents())
                    await _commit(connection)
                    return stored
            except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
                reason = (error.diag.message_primary or str(error)).splitlines()[0]
                raise StorageRefused(f"PostgreSQL cannot store a row of this file: {reason}") from error

    async def known(self, stored_names: Collection[str]) -> set[str]:
        """Which of these names belong to files that are stored."""
        async with self._pool.connection() as connection:
            with translated():
                cursor = await connection.execute(
                    "SELECT stored_name FROM files WHERE stored_name = ANY(%s)", (list(stored_names),)
                )
                return {row[0] for row in await cursor.fetchall()}

    async def expired(self, before: datetime, *, limit: int = 20) -> list[StoredFile]:
        """The oldest files from before ``before``."""
        async with self._pool.connection() as connection:
            with translated():
                cursor = await connection.execute(
                    f"SELECT {FILE_COLUMNS} FROM files WHERE uploaded_at < %s ORDER BY uploaded_at LIMIT %s",  # noqa: S608  # a constant of ours
                    (before, limit),
                )
                return [stored_file(row) for row in await cursor.fetchall()]

    async def delete(self, file_id: int) -> bool:
        """Delete a file, its rows first and some at a time; False when there is none."""
        some_rows = "DELETE FROM file_data WHERE id IN (SELECT id FROM file_data WHERE file_id = %s LIMIT %s)"
        while await self._delete(some_rows, file_id, DELETE_ROWS) == DELETE_ROWS:
            pass
        return await self._delete("DELETE FROM files WHERE id = %s", file_id) > 0

    async def _delete(self, statement: LiteralString, *values: int) -> int:
        """How many rows went."""
        async with self._pool.connection(loan_seconds=STEP_SECONDS) as connection:
            with translated():
                return (await connection.execute(statement, values)).rowcount


def copy_text(file_id: int, first: int, rows: Sequence[bytes]) -> bytes:
    """Rows as COPY takes them, numbered from ``first``. JSON has backslashes, and line breaks between its tokens."""
    lines = []
    for number, row in enumerate(rows, first):
        if b"\\" in row:
            row = row.replace(b"\\", b"\\\\")
        if b"\n" in row or b"\t" in row or b"\r" in row:
            row = row.replace(b"\n", b" ").replace(b"\t", b" ").replace(b"\r", b" ")
        lines.append(b"%d\t%d\t%b\n" % (file_id, number, row))
    return b"".join(lines)


async def _insert(connection: AsyncConnection[Any], new: NewFile) -> int:
    cursor = await connection.execute(
        "INSERT INTO files (kind, filename, stored_name, file_type, file_size, encoding, delimiter)"
        " VALUES (%s, %s, %s, %s, 0, %s, %s) RETURNING id",
        (new.kind, new.filename, new.stored_name, new.file_type, new.encoding, new.delimiter),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def _copy(connection: AsyncConnection[Any], file_id: int, slices: AsyncIterator[Sequence[bytes]]) -> None:
    first = 1
    async with connection.cursor() as cursor:
        async for rows in slices:
            text = await trio.to_thread.run_sync(copy_text, file_id, first, rows)
            first += len(rows)
            async with cursor.copy(_COPY) as copy:
                await copy.write(text)


async def _complete(connection: AsyncConnection[Any], file_id: int, contents: FileContents) -> StoredFile:
    cursor = await connection.execute(
        "UPDATE files SET file_size = %s, row_count = %s, columns = %s, bad_rows = %s, uploaded_at = clock_timestamp()"  # noqa: S608  # a constant of ours
        f" WHERE id = %s RETURNING {FILE_COLUMNS}",
        (contents.file_size, contents.row_count, _jsonb(contents.columns), _jsonb(contents.bad_rows), file_id),
    )
    row = await cursor.fetchone()
    assert row is not None
    return stored_file(row)


async def _commit(connection: AsyncConnection[Any]) -> None:
    """Not to be cancelled: whoever waits must learn how it ended, or that nobody knows."""
    with trio.CancelScope(shield=True), trio.move_on_after(COMMIT_SECONDS):
        try:
            with translated():
                await connection.execute("COMMIT")
        except StorageUnavailable as error:
            raise OutcomeUnknown(str(error)) from error
        return
    raise OutcomeUnknown(f"PostgreSQL did not confirm the COMMIT within {COMMIT_SECONDS:g} seconds")


def _jsonb(value: object) -> Jsonb:
    return Jsonb(value, dumps=msgspec.json.encode)
