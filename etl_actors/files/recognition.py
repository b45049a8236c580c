"""Which kind of file this is: by what the caller says, by its content, by its name, and in doubt CSV.

A name or a content type is a claim; only JSON can be told from its content. So the content decides between JSON and
CSV where it can (a ``{`` or ``[`` that begins a JSON value), and the claim where it cannot.
"""

from __future__ import annotations

import io
from typing import BinaryIO

import msgspec

from ..errors import FileRefused
from ..messages import DeclaredFile
from .csv_rows import CsvTable
from .dialect import SAMPLE_CHARS, delimiter_named, detect_dialect
from .encoding import encoding_of, open_text
from .json_rows import JsonTable
from .rows import Table

SAMPLE_LINES = 50
_LIKELY = {"tsv": "\t", "tab": "\t", "text/tab-separated-values": "\t", "psv": "|"}
# What people take for a table or forget to unpack; some lines of it might pass for rows.
_BINARY = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"BZh", "compressed with bzip2"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "an image"),
    (b"GIF8", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite f", "a SQLite database"),
)
_JSON_NAMES = frozenset({"json", "ndjson", "jsonl", "geojson"})
_NDJSON_NAMES = frozenset({"ndjson", "jsonl"})


def open_table(file: BinaryIO, declared: DeclaredFile) -> Table:
    """The rows of ``file`` (not closed here). Raises :class:`FileRefused` when it cannot be such a file."""
    _refuse_binary(file)
    encoding = encoding_of(file, declared.encoding)
    behind_mark = file.tell()
    sample, whole = _sample(file, encoding)
    if not sample.strip():
        raise FileRefused("the file is empty", places=(("file", "holds nothing"),))
    file.seek(behind_mark)
    if declared.must_be == "csv" and not declared.delimiter and _is_plainly_json(sample, whole=whole):
        reason = "this is JSON, not CSV: send it to /api/process/json"
        raise FileRefused(reason, parsed=False, places=(("file", "is JSON"),))
    if _is_json(sample, declared):
        by_line = _is_by_line(sample, declared)
        text = open_text(file, encoding, newline="" if by_line else None)
        return JsonTable(text, by_line=by_line, encoding=encoding, tabular=declared.must_be is not None)
    delimiter = delimiter_named(declared.delimiter) if declared.delimiter else None
    likely = _LIKELY.get(declared.ending) or _LIKELY.get(declared.content_type) or ","
    dialect = detect_dialect(sample, whole=whole, delimiter=delimiter, likely=likely)
    return CsvTable(open_text(file, encoding, newline=""), dialect, encoding=encoding)


def _refuse_binary(file: BinaryIO) -> None:
    start = file.read(8)
    file.seek(0)
    for mark, what in _BINARY:
        if start.startswith(mark):
            raise FileRefused(f"this is {what}, neither CSV nor JSON", places=(("file", f"is {what}"),))


def _sample(file: BinaryIO, encoding: str) -> tuple[str, bool]:
    text = open_text(io.BytesIO(file.read(4 * SAMPLE_CHARS)), encoding, newline="")
    sample = text.read(SAMPLE_CHARS)
    return sample, not text.read(1) and not file.read(1)


def _is_json(sample: str, declared: DeclaredFile) -> bool:
    if declared.must_be is not None or declared.delimiter:
        return declared.must_be == "json"
    if declared.ending in _JSON_NAMES or "json" in declared.content_type:
        return True
    return _begins_as_json(sample)


def _is_plainly_json(sample: str, *, whole: bool) -> bool:
    """Where CSV is asked for: all of it is one value, or its first line is, or it goes on for long as JSON begins."""
    start = sample.lstrip()
    if not start.startswith(("{", "[")):
        return False
    return _is_value(start if whole else start.splitlines()[0]) or _begins_as_json(sample)


def _begins_as_json(sample: str) -> bool:
    start = sample.lstrip()
    if not start.startswith(("{", "[")):
        return False
    # A CSV file may begin with a bracket too; then what is behind it does not go on as JSON does.
    inside = start[1:].lstrip()
    return inside[:1] in ('"', "}") if start[0] == "{" else inside[:1] in ("{", "]")


def _is_by_line(sample: str, declared: DeclaredFile) -> bool:
    """Whether each line is a value of its own: one of the first lines is a whole object, or the name says so.

    A line within a larger value may be an object too, but then it is indented, or the value began with a bracket.
    """
    start = sample.lstrip()
    named = declared.ending in _NDJSON_NAMES or "ndjson" in declared.content_type or "jsonl" in declared.content_type
    if start.startswith("["):
        return named and _is_value(start.splitlines()[0])
    return named or any(line.startswith("{") and _is_value(line) for line in start.splitlines()[:SAMPLE_LINES])


def _is_value(line: str) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return False
    return True
