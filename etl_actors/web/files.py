"""Files out: which there are, and their rows by page; all rows as CSV or NDJSON by ``Accept``."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw
from quart import Blueprint, Response, request

from ..messages import StoredFile
from . import examples
from .answers import FileAnswer, FileDataAnswer, FilesAnswer
from .export import CSV, JSON, NDJSON, accepted_kind, export_response
from .openapi.documented import Answer, documented
from .parameters import single_values
from .ports import FileDesk, FileReader
from .problems import json_response, no_content, not_found
from .query import AFTER_FILE, AFTER_ROW, PAGING, next_numbers, read_slice
from .uploads import file_object

CELLS_AT_ONCE = 10_000
ROWS = Answer(
    FileDataAnswer,
    "A page of rows; by `Accept` all rows as CSV or NDJSON.",
    examples.FILE_DATA,
    media={
        CSV: {"type": "string", "description": "A header line, then a row a line."},
        NDJSON: {"type": "string", "description": "A row a line, without its number."},
    },
)


def file_routes(reader: FileReader, desk: FileDesk) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("files", __name__, url_prefix="/api/files")

    @routes.get("")
    @routes.get("/")
    @documented(
        "List the files",
        parameters=(*PAGING, AFTER_FILE),
        answers={200: Answer(FilesAnswer, "A page of files, newest first.", examples.FILES)},
        problems=(503,),
    )
    async def files() -> Response:
        arguments = single_values(request.args)
        limit, offset = read_slice(arguments)
        after = AFTER_FILE.read(arguments)
        found, total = await reader.files(
            limit=limit + 1, offset=0 if after else offset, after=min(after[0], 2**31 - 1) if after else None
        )
        more = next_numbers(request.path, arguments, found[limit - 1].id) if len(found) > limit else None
        listed = [_short(file) for file in found[:limit]]
        return json_response({"files": listed, "total": total, "limit": limit, "offset": offset, "next": more})

    @routes.get("/<file_id>")
    @documented(
        "Show a file", answers={200: Answer(FileAnswer, "What is known of it.", examples.FILE)}, problems=(503,)
    )
    async def one(file_id: str) -> Response:
        return json_response(file_object(await _file(reader, file_id)))

    @routes.delete("/<file_id>")
    @documented(
        "Delete a file",
        scope="write",
        answers={204: Answer(None, "It is gone, with its rows.")},
        problems=(503,),
    )
    async def delete(file_id: str) -> Response:
        if not await desk.remove(await _file(reader, file_id)):
            raise not_found(f"there is no file {file_id}")
        return no_content()

    @routes.get("/<file_id>/data")
    @documented(
        "List the rows of a file",
        parameters=(*PAGING, AFTER_ROW),
        answers={200: ROWS},
        problems=(503,),
    )
    async def data(file_id: str) -> Response:
        file = await _file(reader, file_id)
        kind = accepted_kind(request.accept_mimetypes, offered=(JSON, CSV, NDJSON))
        return await (_page(reader, file) if kind == JSON else _export(reader, file, kind))

    return routes


async def _file(reader: FileReader, text: str) -> StoredFile:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise not_found(f"there is no file {text[:60]!r}; ids of files are whole numbers")
    file = await reader.file(int(text))
    if file is None:
        raise not_found(f"there is no file {int(text)}; GET /api/files lists those that there are")
    return file


def _short(file: StoredFile) -> dict[str, Any]:
    """In a list: without the columns, which may be thousands."""
    known = file_object(file)
    del known["columns"]
    return known


async def _page(reader: FileReader, file: StoredFile) -> Response:
    arguments = single_values(request.args)
    limit, offset = read_slice(arguments)
    after = AFTER_ROW.read(arguments)
    total = file.row_count if file.row_count is not None else await reader.count_rows(file.id)
    # One row more than is shown tells whether there is a next page.
    slices = reader.row_slices(
        file.id, limit=limit + 1, offset=0 if after else offset, after=(after[0], after[1]) if after else None
    )
    frame = {"total": total, "limit": limit, "offset": offset}
    link = partial(next_numbers, request.path, arguments)
    return Response(_page_pieces(slices, limit, frame, link), content_type=JSON)


async def _page_pieces(
    slices: AsyncGenerator[Sequence[Any], None],
    limit: int,
    frame: dict[str, Any],
    link: Callable[[int, int], str],
) -> AsyncIterator[bytes]:
    yield b'{"data":['
    shown, last, more = 0, (0, 0), None
    async with aclosing(slices) as some:
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


async def _export(reader: FileReader, file: StoredFile, kind: str) -> Response:
    limit, offset = read_slice(single_values(request.args), unlimited=True)
    columns = [one["name"] if isinstance(one, dict) else str(one) for one in file.columns or ()]
    return await export_response(
        _rows_alone(
            reader.row_slices(file.id, limit=limit, offset=offset), max(CELLS_AT_ONCE // (len(columns) or 1), 1)
        ),
        kind,
        columns,
        name=f"file-{file.id}",
        cells=lambda row: _cells(row, columns),
    )


async def _rows_alone(slices: AsyncGenerator[Sequence[Any], None], at_once: int) -> AsyncGenerator[Sequence[Any], None]:
    """So few at once that no loop is held, however many columns there are."""
    async with aclosing(slices) as some:
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
