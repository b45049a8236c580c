"""The answer that carries an export."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
from quart import Response, request

from .kinds import CSV, NDJSON, PARQUET
from .lines import ndjson_pieces
from .parquet import parquet_pieces, require_parquet
from .slices import Rows, Slices
from .spreadsheet import csv_pieces

_ENDINGS = {CSV: "csv", NDJSON: "ndjson", PARQUET: "parquet"}


async def export_response(
    slices: AsyncGenerator[Rows, None],
    kind: str,
    columns: Sequence[str],
    *,
    name: str = "items",
    cells: Callable[[Any], Sequence[Any]] = msgspec.structs.astuple,
) -> Response:
    """The rows of ``slices`` as ``kind``: one of ``CSV``, ``NDJSON`` and ``PARQUET``; the last is for items only.

    ``cells`` gives the values of a row in the order of ``columns``; ``name`` is what the file is called, without its
    ending. What fails before the first row (no database, no Parquet) is raised, so that it is told with a status. What
    fails later breaks the connection off: a client is never left with a file that only looks whole.
    """
    if kind == PARQUET:
        await require_parquet()

    async def pieces() -> AsyncIterator[bytes]:
        rows = await Slices.begin(slices)
        if kind == CSV:
            return csv_pieces(rows, columns, cells)
        return ndjson_pieces(rows) if kind == NDJSON else parquet_pieces(rows, columns)

    # A HEAD asks for the headers alone; nothing is read for it, so how long the file would be is not known.
    only_head = request.method == "HEAD"
    body = b"" if only_head else await pieces()
    response = Response(body, content_type=kind if kind == PARQUET else f"{kind}; charset=utf-8")
    if only_head:
        del response.headers["Content-Length"]
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{_ENDINGS[kind]}"'
    response.headers.add("Vary", "Accept")
    return response
