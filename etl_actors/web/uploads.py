"""Files in: ``POST /api/data/upload`` keeps one, ``POST /api/process/…`` makes one clean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Raw
from msgspec.structs import replace
from quart import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from ..messages import DeclaredFile, StoredFile
from ..wire import iso_time
from . import examples
from .answers import FileAnswer, ProcessAnswer
from .bodies import refuse_encoded
from .multipart import body_pieces, receive_multipart, storable
from .openapi.documented import Answer, Body, documented, hidden
from .parameters import Choice, Text, single_values
from .ports import Arrival, FileDesk
from .problems import Problem, json_response

MULTIPART = "multipart/form-data"
LOCATION = {"Location": "Where it is."}
TEXT = {"type": "string"}
UPLOAD_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "contentMediaType": "application/octet-stream"},
        "encoding": {"type": "string", "description": "Latin-1 and the like; UTF-8 and UTF-16 are recognised."},
        "delimiter": {"type": "string", "description": "What stands between cells, where it should not be found out."},
    },
}
PROCESS_FORM = UPLOAD_FORM
FORMAT = Choice(
    name="format",
    description="What the result is written as.",
    choices=("ndjson", "csv"),
    default="ndjson",
    refusal="must be ndjson or csv",
)
ENCODING = Text(name="encoding", description="The encoding of the text; UTF-8 and UTF-16 are recognised.")
DELIMITER = Text(name="delimiter", description="What stands between cells, where it should not be found out.")
FILENAME = Text(name="filename", description="What a raw body is called.")
PROCESS_PARAMETERS = (FORMAT, ENCODING, DELIMITER, FILENAME)
PROCESSED = Answer(ProcessAnswer, "The result is kept; its counts, types and first rows.", examples.PROCESSED)
_CSV = re.compile(r"(text|application)/(x-)?(csv|comma-separated-values|tab-separated-values|tsv)")
_JSON = re.compile(r"(text|application)/(.+\+)?(x-)?(json|ndjson|jsonl|jsonlines|json-lines|json-seq)")
_NO_TABLE = re.compile(r"(image|audio|video|font|model)/.*|text/html|.+/(.+\+)?xml|application/(pdf|zip|gzip|x-gzip)")
FOLDERS = {"upload": "uploads", "processed": "processed"}


def upload_routes(desk: FileDesk) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("uploads", __name__)

    @routes.before_request
    async def check() -> None:
        refuse_encoded()

    @routes.get("/api/data/upload")
    @hidden
    async def no_listing() -> Response:
        """Else it would be read as the data of a connector of that name."""
        raise MethodNotAllowed(["POST"], "files are handed in here, by POST; GET /api/files lists them")

    @routes.post("/api/data/upload")
    @documented(
        "Upload a file",
        scope="write",
        body=Body({MULTIPART: UPLOAD_FORM}, "CSV, TSV, JSON or NDJSON, in the part `file`."),
        answers={201: Answer(FileAnswer, "Its rows are stored.", examples.FILE, headers=LOCATION)},
        problems=(415, 422, 503, 507),
    )
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
    @documented(
        "Clean a CSV file",
        scope="write",
        parameters=PROCESS_PARAMETERS,
        body=Body({MULTIPART: PROCESS_FORM, "text/csv": TEXT}),
        answers={200: PROCESSED},
        problems=(415, 503, 507),
    )
    async def process_csv() -> Response:
        return await _process(desk, "csv")

    @routes.post("/api/process/json")
    @documented(
        "Clean a JSON file",
        scope="write",
        parameters=PROCESS_PARAMETERS,
        body=Body(
            {MULTIPART: PROCESS_FORM, "application/x-ndjson": TEXT}, "An array of objects, an object, or NDJSON."
        ),
        answers={200: PROCESSED},
        problems=(415, 503, 507),
    )
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
    output = _format(single_values(request.args))
    _refuse_another_kind(request.mimetype, must_be)
    async with desk.receiving(request.content_length or 0) as arrival:
        if request.mimetype == MULTIPART:
            declared, fields = await receive_multipart(arrival.write)
            _refuse_another_kind(declared.content_type, must_be)
        else:
            declared, fields = await _receive_raw(arrival), {}
        output = _format(fields) if fields.get("format") else output
        result = await arrival.process(replace(_with_options(declared, fields), must_be=must_be), output)
    return json_response(_result_object(result.file, result.preview))


def _refuse_another_kind(content_type: str, must_be: Literal["csv", "json"]) -> None:
    """415 for what says of itself that it is something else; what says nothing clear is looked at."""
    kind = content_type.partition(";")[0].strip().lower()
    if _NO_TABLE.fullmatch(kind) or (_JSON if must_be == "csv" else _CSV).fullmatch(kind):
        raise Problem(415, "Unsupported media type", f"{kind[:100]} is no {must_be.upper()}")


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


def _format(arguments: Mapping[str, str]) -> Literal["ndjson", "csv"]:
    return "csv" if FORMAT.read(arguments) == "csv" else "ndjson"
