"""Files and their rows, as they are read for REST.

Rows may be large, so they are fetched in slices of which the server adds up the bytes: no slice is larger than
``SLICE_BYTES``, or a single row. Nothing is held between two slices.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from msgspec import Raw, Struct

from ..messages import StoredFile
from .pool import Pool
from .translation import translated

FILE_COLUMNS = (
    "id, kind, filename, stored_name, file_type, file_size, row_count, uploaded_at, encoding, delimiter,"
    " columns::text, bad_rows::text"
)
_SHORT_COLUMNS = (
    "id, kind, filename, stored_name, file_type, file_size, row_count, uploaded_at, encoding, delimiter,"
    " NULL, json_build_object('count', bad_rows->'count')::text"
)
MAX_ID = 2**31 - 1
SLICE_ROWS = 1_000
FIRST_SLICE_ROWS = 50
SLICE_BYTES = 2_097_152

RowKey = tuple[int, int]
"""The place of a row in its file: its number and its id, since numbers of files from elsewhere may repeat."""


class FileRow(Struct, frozen=True, kw_only=True):
    """A row of a file as clients see it."""

    id: int
    file_id: int
    row_number: int
    row_data: Raw


class FileReader:
    """Answers what the web room asks about files."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def files(self, *, limit: int, offset: int, after: int | None) -> tuple[list[StoredFile], int]:
        """Files, the newest first, with their columns left out; and how many there are in all."""
        async with self._pool.connection() as connection:
            with translated():
                cursor = await connection.execute(
                    f"SELECT {_SHORT_COLUMNS} FROM files WHERE %(after)s::integer IS NULL OR id < %(after)s::integer"  # noqa: S608  # a constant of ours
                    " ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s",
                    {"limit": limit, "offset": offset, "after": after},
                )
                rows = await cursor.fetchall()
                cursor = await connection.execute("SELECT count(*) FROM files")
                total = await cursor.fetchone()
        return [stored_file(row) for row in rows], total[0] if total else 0

    async def file(self, file_id: int) -> StoredFile | None:
        """One file, whole."""
        if not 0 < file_id <= MAX_ID:
            return None
        async with self._pool.connection() as connection:
            with translated():
                cursor = await connection.execute(
                    f"SELECT {FILE_COLUMNS} FROM files WHERE id = %s",  # noqa: S608  # a constant of ours
                    (file_id,),
                )
                row = await cursor.fetchone()
        return stored_file(row) if row else None

    async def count_rows(self, file_id: int) -> int:
        """How many rows a file has, counted: for files whose own count is not known."""
        async with self._pool.connection() as connection:
            with translated():
                cursor = await connection.execute("SELECT count(*) FROM file_data WHERE file_id = %s", (file_id,))
                row = await cursor.fetchone()
        return row[0] if row else 0

    async def row_slices(
        self, file_id: int, *, limit: int, offset: int = 0, after: RowKey | None = None
    ) -> AsyncGenerator[list[FileRow], None]:
        """The rows of a file in their order, in slices."""
        wanted = FIRST_SLICE_ROWS
        while limit > 0:
            asked = min(wanted, limit)
            slice_ = await self._slice(file_id, asked, offset, after)
            if not slice_:
                return
            yield slice_
            limit -= len(slice_)
            offset, after = 0, (slice_[-1].row_number, slice_[-1].id)
            # Few where rows are large, so that the server does not add up what is not fetched.
            wanted = min(2 * len(slice_), SLICE_ROWS)

    async def _slice(self, file_id: int, limit: int, offset: int, after: RowKey | None) -> list[FileRow]:
        beyond = " AND row_number >= %(number)s AND (row_number, id) > (%(number)s, %(id)s)" if after else ""
        async with self._pool.connection() as connection:
            with translated():
                cursor = await connection.execute(
                    "SELECT id, row_number, row_data::text FROM (SELECT id, row_number, row_data,"  # noqa: S608  # constants of ours
                    " sum(octet_length(row_data::text)) OVER (ORDER BY row_number, id) AS bytes,"
                    " row_number() OVER (ORDER BY row_number, id) AS place"
                    " FROM (SELECT id, row_number, row_data FROM file_data"
                    f" WHERE file_id = %(file_id)s{beyond}"
                    " ORDER BY row_number, id LIMIT %(limit)s OFFSET %(offset)s) AS wanted) AS added"
                    " WHERE bytes <= %(bytes)s OR place = 1 ORDER BY row_number, id",
                    {
                        "file_id": file_id,
                        "limit": limit,
                        "offset": offset,
                        "bytes": SLICE_BYTES,
                        "number": after[0] if after else None,
                        "id": after[1] if after else None,
                    },
                )
                rows = await cursor.fetchall()
        return [
            FileRow(id=row_id, file_id=file_id, row_number=number, row_data=Raw(text.encode()))
            for row_id, number, text in rows
        ]


def stored_file(row: Any) -> StoredFile:
    """A row of ``FILE_COLUMNS``."""
    *known, columns, bad_rows = row
    return StoredFile(*known, *(msgspec.json.decode(text) if text else None for text in (columns, bad_rows)))
