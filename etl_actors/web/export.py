"""Items as CSV or NDJSON, however many there are, in constant memory.

Rows are fetched a slice at a time by keyset, so that neither a connection nor a snapshot of the database is held while
a slow client reads, and a client that goes away leaves nothing behind. CSV is made for spreadsheets: a text that one
would take for a formula is preceded by an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from quart import Response

CSV, NDJSON, JSON = "text/csv", "application/x-ndjson", "application/json"
OFFERED = (JSON, CSV, NDJSON)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

Slices = AsyncIterator[Sequence[Any]]


def export_response(slices: Slices, kind: str, columns: Sequence[str]) -> Response:
    """The rows of ``slices`` as ``kind``, one of ``CSV`` and ``NDJSON``."""
    render = _csv_lines if kind == CSV else _json_lines
    head = _csv_line(columns) if kind == CSV else b""
    response = Response(_stream(slices, render, head), content_type=f"{kind}; charset=utf-8")
    name = "items.csv" if kind == CSV else "items.ndjson"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


async def _stream(slices: Slices, render: Callable[[Sequence[Any]], bytes], head: bytes) -> AsyncIterator[bytes]:
    if head:
        yield head
    async with aclosing(slices) as rows:  # type: ignore[type-var]  # what is handed in is an async generator
        async for some in rows:
            yield render(some)


def _json_lines(rows: Sequence[Any]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def _csv_lines(rows: Sequence[Any]) -> bytes:
    return b"".join(_csv_line([_cell(value) for value in msgspec.structs.astuple(row)]) for row in rows)


def _csv_line(cells: Sequence[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()  # a number, or the JSON of `extra`: neither begins a formula but by its sign
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
