"""The answer that carries an export."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from quart import Response, request

from .kinds import CSV, NDJSON, PARQUET
from .lines import ndjson_pieces
from .parquet import parquet_pieces, require_parquet
from .slices import Rows, Slices
from .spreadsheet import csv_pieces

_ENDINGS = {CSV: "csv", NDJSON: "ndjson", PARQUET: "parquet"}


async def export_response(slices: AsyncGenerator[Rows, None], kind: str, columns: tuple[str, ...]) -> Response:
    """The rows of ``slices`` as ``kind``: one of ``CSV``, ``NDJSON`` and ``PARQUET``.

    What fails before the first row (no database, no Parquet) is raised, so that it is told with a status. What fails
    later breaks the connection off: a client is never left with a file that only looks whole.
    """
    if kind == PARQUET:
        await require_parquet()
    content_type = kind if kind == PARQUET else f"{kind}; charset=utf-8"
    # A HEAD asks for the headers alone; nothing is read for it.
    body = b"" if request.method == "HEAD" else _pieces(await Slices.begin(slices), kind, columns)
    response = Response(body, content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="items.{_ENDINGS[kind]}"'
    response.headers.add("Vary", "Accept")
    return response


def _pieces(slices: Slices, kind: str, columns: tuple[str, ...]) -> AsyncIterator[bytes]:
    if kind == CSV:
        return csv_pieces(slices, columns)
    if kind == NDJSON:
        return ndjson_pieces(slices)
    return parquet_pieces(slices, columns)
