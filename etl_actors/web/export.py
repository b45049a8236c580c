"""Rows as CSV or NDJSON, however many there are, in constant memory.

Rows are fetched a slice at a time by keyset, so that neither a connection nor a snapshot of the database is held while
a slow client reads, and a client that goes away leaves nothing behind. CSV is made for spreadsheets: a text that one
would take for a formula is preceded by an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

import msgspec
import trio
from quart import Response

from ..wire import spreadsheet_safe

CSV, NDJSON, JSON = "text/csv", "application/x-ndjson", "application/json"
OFFERED = (JSON, CSV, NDJSON)

Slices = AsyncIterator[Sequence[Any]]


def export_response(
    slices: Slices,
    kind: str,
    columns: Sequence[str],
    *,
    name: str = "items",
    cells: Callable[[Any], Sequence[Any]] = msgspec.structs.astuple,
) -> Response:
    """The rows of ``slices`` as ``kind``, one of ``CSV`` and ``NDJSON``.

    ``cells`` gives the values of a row in the order of ``columns``; ``name`` is what the file is called, without its
    ending.
    """
    head = _csv_line([_cell(column) for column in columns]) if kind == CSV else b""
    render = partial(_csv_lines, cells) if kind == CSV else _json_lines
    response = Response(_stream(slices, render, head), content_type=f"{kind}; charset=utf-8")
    response.timeout = None  # as long as it takes: the size of an export is not known
    ending = "csv" if kind == CSV else "ndjson"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{ending}"'
    return response


async def _stream(slices: Slices, render: Callable[[Sequence[Any]], bytes], head: bytes) -> AsyncIterator[bytes]:
    if head:
        yield head
    async with aclosing(slices) as rows:  # type: ignore[type-var]  # what is handed in is an async generator
        async for some in rows:
            yield render(some)
            await trio.lowlevel.checkpoint()


def _json_lines(rows: Sequence[Any]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def _csv_lines(cells: Callable[[Any], Sequence[Any]], rows: Sequence[Any]) -> bytes:
    return b"".join(_csv_line([_cell(value) for value in cells(row)]) for row in rows)


def _csv_line(cells: Sequence[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()  # a number, or the JSON of `extra`: neither begins a formula but by its sign
    return spreadsheet_safe(value) if isinstance(value, str) else value
