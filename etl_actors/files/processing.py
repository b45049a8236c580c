"""A file made clean, in two readings: the first learns what each column is, the second writes it so.

The result is NDJSON (JSON types) or CSV. CSV is made for spreadsheets: a text that one would take for a formula is
preceded by an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from ..wire import spreadsheet_safe
from .csv_rows import CsvTable
from .kinds import STRING, converter, joined, kind_of_text, kind_of_value
from .names import Names, clean_name
from .rows import Table

Format = Literal["ndjson", "csv"]

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Column(Struct, frozen=True):
    """A column of the result. ``nulls`` counts the rows in which it is empty or not there."""

    name: str
    original: str
    type: str
    nulls: int


class Profile:
    """Learns the columns of a table, row by row."""

    def __init__(self, table: Table) -> None:
        self._kind_of: Callable[[Any], str | None] = kind_of_text if isinstance(table, CsvTable) else kind_of_value
        self._kinds: dict[str, str | None] = {}
        self._filled: dict[str, int] = {}
        self._originals: dict[str, str] = {}
        self.rows = 0
        if isinstance(table, CsvTable):
            for name, original in zip(table.columns, table.header, strict=True):
                self._add(name, original)

    def see(self, rows: Iterable[Mapping[str, Any]]) -> bool:
        """Some more rows; False when there were none."""
        before = self.rows
        for row in rows:
            self._see(row)
        return self.rows > before

    def _see(self, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            if name not in self._kinds:
                self._add(name, name)
            known = self._kinds[name]
            if known == STRING and isinstance(value, str):
                # Nothing is wider than a text but what is no text; most cells of most files end here.
                self._filled[name] += not (not value or value.isspace())
                continue
            kind = self._kind_of(value)
            if kind is not None:
                self._filled[name] += 1
                self._kinds[name] = joined(known, kind)
        self.rows += 1

    def columns(self) -> list[Column]:
        """What is known now. A column without any value is one of texts."""
        names = Names()
        return [
            Column(
                name=names.take(clean_name(self._originals[name], place)),
                original=self._originals[name],
                type=kind or STRING,
                nulls=self.rows - self._filled[name],
            )
            for place, (name, kind) in enumerate(self._kinds.items(), 1)
        ]

    def convert(self) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        """Makes a row of the file a row of the result: every column, under its clean name, of its type."""
        plan = [
            (name, column.name, converter(kind))
            for (name, kind), column in zip(self._kinds.items(), self.columns(), strict=True)
        ]
        return lambda row: {clean: make(row.get(name)) for name, clean, make in plan}

    def _add(self, name: str, original: str) -> None:
        self._kinds[name] = None
        self._filled[name] = 0
        self._originals[name] = original


def render_row(row: dict[str, Any], output: Format) -> tuple[bytes, bytes]:
    """A row as a JSON object, and as it stands in the result file."""
    document = _encode(row)
    return document, document + b"\n" if output == "ndjson" else _csv_line(map(_cell, row.values()))


def render_header(columns: list[Column], output: Format) -> bytes:
    """What a result file begins with."""
    return _csv_line(column.name for column in columns) if output == "csv" else b""


def _csv_line(cells: Iterable[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()  # a number, whose sign begins no formula
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return _encode(value).decode()
    return spreadsheet_safe(value) if isinstance(value, str) else value
