"""Which kind of answer a client wants, by its ``Accept`` header."""

from __future__ import annotations

from collections.abc import Collection

from werkzeug.datastructures import MIMEAccept

JSON = "application/json"
CSV = "text/csv"
NDJSON = "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"

# In the order of our preference, where the client has none; the other names are those that clients use for the same.
_NAMES = {
    JSON: JSON,
    CSV: CSV,
    NDJSON: NDJSON,
    "application/ndjson": NDJSON,
    "application/jsonl": NDJSON,
    PARQUET: PARQUET,
    "application/parquet": PARQUET,
    "application/x-parquet": PARQUET,
}


def accepted_kind(accept: MIMEAccept, *, offered: Collection[str] = (JSON, CSV, NDJSON, PARQUET)) -> str:
    """The offered kind that ``accept`` likes best, by its q-values; JSON where it names none of them."""
    # Parameters such as charset=utf-8 do not change what is meant.
    bare = MIMEAccept([(value.partition(";")[0].strip(), quality) for value, quality in accept])
    return _NAMES[bare.best_match([name for name, kind in _NAMES.items() if kind in offered], JSON)]
