"""Files out: which there are, and their rows by page; all rows as CSV or NDJSON by ``Accept``."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw
from quart import Blueprint, Response, request

from ..messages import StoredFile
from .export import JSON, OFFERED, export_response
from .ports import FileDesk, FileReader
from .problems import json_response, not_found
from .query import next_numbers, read_numbers, read_slice
from .uploads import file_object

CELLS_AT_ONCE = 10_000


def file_routes(reader: FileReader, desk: FileDesk) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("files", __name__, url_prefix="/api/files")

    @routes.get("")
    @routes.get("/")
    async def files() -> Response:
        arguments = request.args.to_dict()
        limit, offset = read_slice(arguments)
        after = read_numbers(arguments, 1)
        found, total = await reader.files(
            limit=limit + 1, offset=0 if after else offset, after=min(after[0], 2**31 - 1) if after else None
        )
        more = next_numbers(request.path, arguments, found[limit - 1].id) if len(found) > limit else None
        listed = [_short(file) for file in found[:limit]]
        return json_response({"files": listed, "total": total, "limit": limit, "offset": offset, "next": more})

    @routes.get("/<file_id>")
    async def one(file_id: str) -> Response:
        return json_response(file_object(await _file(reader, file_id)))

    @routes.delete("/<file_id>")
    async def delete(file_id: str) -> Response:
        if not await desk.remove(await _file(reader, file_id)):
            raise not_found(f"there is no file {file_id}")
        return Response(b"", status=204)

    @routes.get("/<file_id>/data")
    async def data(file_id: str) -> Response:
        file = await _file(reader, file_id)
        kind = request.accept_mimetypes.best_match(OFFERED, JSON)
        return await _page(reader, file) if kind == JSON else _export(reader, file, kind)

    return routes


async def _file(reader: FileReader, text: str) -> StoredFile:
    file = await reader.file(int(text)) if re.fullmatch(r"[0-9]{1,18}", text) else None
    if file is None:
        raise not_found(f"there is no file {text[:60]!r}; ids of files are whole numbers")
    return file


def _short(file: StoredFile) -> dict[str, Any]:
    """In a list: without the columns, which may be thousands."""
    known = file_object(file)
    del known["columns"]
    return known


async def _page(reader: FileReader, file: StoredFile) -> Response:
    arguments = request.args.to_dict()
    limit, offset = read_slice(arguments)
    after = read_numbers(arguments, 2)
    total = file.row_count if file.row_count is not None else await reader.count_rows(file.id)
    # One row more than is shown tells whether there is a next page.
    slices = reader.row_slices(
        file.id, limit=limit + 1, offset=0 if after else offset, after=(after[0], after[1]) if after else None
    )
    frame = {"total": total, "limit": limit, "offset": offset}
    link = partial(next_numbers, request.path, arguments)
    response = Response(_page_pieces(slices, limit, frame, link), content_type=JSON)
    response.timeout = None
    return response


async def _page_pieces(
    slices: AsyncIterator[Sequence[Any]],
    limit: int,
    frame: dict[str, Any],
    link: Callable[[int, int], str],
) -> AsyncIterator[bytes]:
    yield b'{"data":['
    shown, last, more = 0, (0, 0), None
    async with aclosing(slices) as some:  # type: ignore[type-var]  # what is handed in is an async generator
        async for rows in some:
            if shown == limit:
                more = link(*last)
                break
            wanted = rows[: limit - shown]
            yield (b"," if shown else b"") + msgspec.json.encode(wanted)[1:-1]
            shown += len(wanted)
            last = (wanted[-1].row_number, wanted[-1].id)
            if len(wanted) < len(rows):
                more = link(*last)
    yield b"]," + msgspec.json.encode(frame | {"next": more})[1:]


def _export(reader: FileReader, file: StoredFile, kind: str) -> Response:
    limit, offset = read_slice(request.args.to_dict(), unlimited=True)
    columns = [one["name"] if isinstance(one, dict) else str(one) for one in file.columns or ()]
    return export_response(
        _rows_alone(
            reader.row_slices(file.id, limit=limit, offset=offset), max(CELLS_AT_ONCE // (len(columns) or 1), 1)
        ),
        kind,
        columns,
        name=f"file-{file.id}",
        cells=lambda row: _cells(row, columns),
    )


async def _rows_alone(slices: AsyncIterator[Sequence[Any]], at_once: int) -> AsyncIterator[Sequence[Any]]:
    """So few at once that no loop is held, however many columns there are."""
    async with aclosing(slices) as some:  # type: ignore[type-var]  # see above
        async for rows in some:
            for start in range(0, len(rows), at_once):
                yield [row.row_data for row in rows[start : start + at_once]]


def _cells(row: Raw, columns: Sequence[str]) -> list[Any]:
    values = msgspec.json.decode(row, type=dict[str, Raw])
    return [_cell(values.get(column)) for column in columns]


def _cell(value: Raw | None) -> Any:
    """A text as itself, null as nothing, anything else as its JSON."""
    text = b"null" if value is None else bytes(value)
    if text == b"null":
        return None
    return msgspec.json.decode(text) if text.startswith(b'"') else value
