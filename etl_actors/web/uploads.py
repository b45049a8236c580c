"""Files in: ``POST /api/data/upload`` keeps one, ``POST /api/process/…`` makes one clean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Raw
from msgspec.structs import replace
from quart import Blueprint, Response, request

from ..messages import DeclaredFile, StoredFile
from ..wire import iso_time
from .multipart import body_pieces, receive_multipart, storable
from .ports import Arrival, FileDesk
from .problems import Problem, invalid, json_response

MULTIPART = "multipart/form-data"
FOLDERS = {"upload": "uploads", "processed": "processed"}


def upload_routes(desk: FileDesk) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("uploads", __name__)

    @routes.before_request
    async def check() -> None:
        encoding = request.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            raise Problem(415, "Unsupported media type", f"send the body as it is, without Content-Encoding {encoding}")

    @routes.post("/api/data/upload")
    async def upload() -> Response:
        if request.mimetype != MULTIPART:
            raise Problem(415, "Unsupported media type", f"send {MULTIPART} with the file in its part 'file'")
        async with desk.receiving(request.content_length or 0) as arrival:
            declared, fields = await receive_multipart(arrival.write)
            stored = await arrival.upload(_with_options(declared, fields))
        response = json_response(file_object(stored), 201)
        response.headers["Location"] = f"/api/files/{stored.id}"
        return response

    @routes.post("/api/process/csv")
    async def process_csv() -> Response:
        return await _process(desk, "csv")

    @routes.post("/api/process/json")
    async def process_json() -> Response:
        return await _process(desk, "json")

    return routes


def file_object(file: StoredFile) -> dict[str, Any]:
    """A file as clients see it."""
    folder = FOLDERS.get(file.kind)
    return {
        "id": file.id,
        "filename": file.filename,
        "file_type": file.file_type,
        "file_size": file.file_size,
        "row_count": file.row_count,
        "uploaded_at": iso_time(file.uploaded_at),
        "kind": file.kind,
        "path": f"{folder}/{file.stored_name}" if folder and file.stored_name else None,
        "encoding": file.encoding,
        "delimiter": file.delimiter,
        "columns": file.columns,
        "bad_rows": file.bad_rows,
    }


async def _process(desk: FileDesk, must_be: Literal["csv", "json"]) -> Response:
    output = _format(request.args.get("format", "ndjson"))
    async with desk.receiving(request.content_length or 0) as arrival:
        if request.mimetype == MULTIPART:
            declared, fields = await receive_multipart(arrival.write)
        else:
            declared, fields = await _receive_raw(arrival), {}
        output = _format(fields.get("format") or output)
        result = await arrival.process(replace(_with_options(declared, fields), must_be=must_be), output)
    return json_response(_result_object(result.file, result.preview))


def _result_object(file: StoredFile, preview: Sequence[bytes]) -> dict[str, Any]:
    known = file_object(file)
    return known | {"format": file.file_type, "rows": file.row_count, "preview": [Raw(row) for row in preview]}


async def _receive_raw(arrival: Arrival) -> DeclaredFile:
    async for piece in body_pieces():
        await arrival.write(piece)
    charset = request.mimetype_params.get("charset", "")
    return DeclaredFile(
        filename=storable(request.args.get("filename", "")), content_type=request.mimetype, encoding=charset
    )


def _with_options(declared: DeclaredFile, fields: dict[str, str]) -> DeclaredFile:
    """What the query or the fields say beyond the part itself."""
    said = {
        name: value for name in ("encoding", "delimiter") if (value := request.args.get(name) or fields.get(name, ""))
    }
    return replace(declared, **said)


def _format(text: str) -> Literal["ndjson", "csv"]:
    if text == "ndjson" or text == "csv":
        return text  # type: ignore[return-value]  # mypy does not narrow a str by comparing it
    raise invalid("format", "must be ndjson or csv")
