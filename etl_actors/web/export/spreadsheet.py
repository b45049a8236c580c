"""Rows as CSV (RFC 4180), made for spreadsheets: a text that one would take for a formula gets an apostrophe first.

Numbers are no texts and keep their sign, with every digit they have.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
import trio

from ...wire import spreadsheet_safe
from .slices import Slices, short


async def csv_pieces(
    slices: Slices, columns: Sequence[str], cells: Callable[[Any], Sequence[Any]] = msgspec.structs.astuple
) -> AsyncIterator[bytes]:
    """The file, a piece a slice, after one line of ``columns``; ``cells`` gives a row's values in their order."""
    async with aclosing(slices):
        yield _csv_lines([[_cell(column) for column in columns]])
        async for rows in slices:
            for some in short(rows):
                yield _csv_lines([_cell(value) for value in cells(row)] for row in some)
                await trio.lowlevel.checkpoint()


def _csv_lines(lines: Iterable[Sequence[Any]]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(lines)
    return written.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()  # a number, or the JSON of `extra`: neither begins a formula but by its sign
    return spreadsheet_safe(value) if isinstance(value, str) else value
