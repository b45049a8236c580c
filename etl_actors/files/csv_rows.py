"""CSV and its kin as a table: the first row names the columns, and every other must have as many cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TextIO

import msgspec

from ..errors import FileRefused
from .csv_reading import Dialect, read_rows
from .encoding import UNREADABLE, unreadable
from .lines import Lines
from .names import unique_names
from .rows import MAX_COLUMNS, MAX_NAME_CHARS, BadRows, RowRefused

_encode = msgspec.json.Encoder().encode


class CsvTable:
    """The rows of an open text file; its first row names the columns. Read once."""

    def __init__(self, text: TextIO, dialect: Dialect, *, encoding: str) -> None:
        self.encoding = encoding
        self.delimiter: str | None = dialect.delimiter
        self.bad = BadRows()
        self._lines = Lines(text)
        self._rows = read_rows(self._lines, dialect, self.bad.add)
        self.header = self._header()
        self.columns = unique_names(self.header)
        self.file_type = "tsv" if dialect.delimiter == "\t" and len(self.columns) > 1 else "csv"

    def records(self) -> Iterator[Mapping[str, str]]:
        """Each good row as texts by column."""
        columns, width = self.columns, len(self.columns)
        for cells in self._rows:
            try:
                if len(cells) != width:
                    raise RowRefused(f"has {_cells(len(cells))} where the header has {width:,}")
                if any(map(_odd, cells)):
                    self._explain(cells)
            except RowRefused as error:
                self.bad.add(self._lines.first, error)
                continue
            yield dict(zip(columns, cells, strict=True))

    def documents(self) -> Iterator[bytes]:
        """Each good row as a JSON object of texts."""
        return map(_encode, self.records())

    def _header(self) -> list[str]:
        header = next(self._rows, None)
        if self.bad.count:
            first = self.bad.first[0]
            raise _header_refused(first.line, first.message)
        if header is None:
            raise FileRefused("the file is empty", places=(("file", "has no header and no rows"),))
        line = self._lines.first
        if len(header) > MAX_COLUMNS:
            raise _header_refused(line, f"has {len(header):,} columns; {MAX_COLUMNS:,} are the most")
        if max(map(len, header)) > MAX_NAME_CHARS:
            raise _header_refused(line, f"has a column name longer than {MAX_NAME_CHARS} characters")
        try:
            self._explain(header)
        except RowRefused as error:
            raise _header_refused(line, str(error)) from None
        return header

    def _explain(self, cells: list[str]) -> None:
        whole = "".join(cells)
        if "\0" in whole:
            raise RowRefused("holds a NUL character, which PostgreSQL cannot store")
        if UNREADABLE in whole:
            raise RowRefused(unreadable(self.encoding))


def _odd(cell: str) -> bool:
    return (not cell.isascii() and UNREADABLE in cell) or "\0" in cell


def _header_refused(line: int, why: str) -> FileRefused:
    return FileRefused(f"the header (line {line}) {why}", places=((f"line {line}", why),))


def _cells(count: int) -> str:
    return f"{count:,} cell{'' if count == 1 else 's'}"
