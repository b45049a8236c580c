"""The shapes of files and their rows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from .paging import Count, Next


class BadRow(Struct):
    """A row that could not be taken, and why."""

    line: Count
    message: str


class BadRows(Struct):
    """How many, and the first of them."""

    count: Count
    first: Annotated[list[BadRow] | UnsetType, Meta(description="Left out in lists.")] = UNSET


class Column(Struct):
    """A column of a cleaned file."""

    name: str
    original: str
    type: Literal["integer", "number", "boolean", "date", "datetime", "string", "array", "object", "mixed"]
    nulls: Count


class FileListed(Struct, kw_only=True):
    """A file, as it is listed."""

    id: Count
    filename: str
    file_type: str
    file_size: Count
    row_count: int | None
    uploaded_at: datetime
    kind: Annotated[str, Meta(description="`upload`, or `processed` for the result of a cleaning.")]
    path: Annotated[str | None, Meta(description="Where it lies in the data folder.")]
    encoding: str | None
    delimiter: str | None
    bad_rows: BadRows | None


class FileAnswer(FileListed, kw_only=True):
    """A file."""

    columns: Annotated[list[str | Column] | None, Meta(description="Their names; of a cleaned file, their types.")]


class FilesAnswer(Struct):
    """A page of files."""

    files: list[FileListed]
    total: Count
    limit: Count
    offset: Count
    next: Next


class FileRow(Struct):
    """A row of a file."""

    id: Count
    file_id: Count
    row_number: Annotated[int, Meta(ge=1, description="Its place among the rows of the file.")]
    row_data: Any


class FileDataAnswer(Struct):
    """A page of rows."""

    data: list[FileRow]
    total: Count
    limit: Count
    offset: Count
    next: Next


class ProcessAnswer(FileAnswer, kw_only=True):
    """The result of a cleaning."""

    format: Literal["ndjson", "csv"]
    rows: Count
    preview: Annotated[list[dict[str, Any]], Meta(description="The first ten rows.")]
