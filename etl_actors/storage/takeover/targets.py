"""Which columns of the original become which of ours.

The original's documentation shows only some of its columns, so every column of ours names the likely ones in the order
in which they are asked; the first that holds a usable value wins. What has no column of ours stays in the ``*_v0``
table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from .catalogue import Table

Kind = Literal["text", "json", "int32", "int64", "numeric", "moment"]

NEWEST_SO_FAR = "max(source.{column}) OVER (ORDER BY source.key), %(before)s, %(earliest)s"


class Wanted(Struct, frozen=True):
    """A column of ours: its ``kind``, the columns it may come from, and SQL for rows in which none has a value.

    ``needed``: a table of the original without any of ``sources`` is not one. ``longest``: in characters.
    """

    name: str
    kind: Kind
    sources: tuple[str, ...]
    otherwise: str | None = None
    needed: bool = False
    longest: int | None = None


class Target(Struct, frozen=True, kw_only=True):
    """A table of ours that has one of the same name in the original. ``core``: by these the original is known."""

    table: str
    wanted: tuple[Wanted, ...]
    core: bool = False
    partitioned: bool = False
    slice_rows: int = 1_000

    def lacks(self, table: Table) -> str | None:
        """What ``table`` would need to be the original's; None when it lacks nothing."""
        if not table.plain:
            return "it is not a plain table"
        for one in self.wanted:
            if one.needed and not any(source in table.columns for source in one.sources):
                return f"it has no column {one.sources[0]}"
        return None


def _moment(*sources: str) -> Wanted:
    return Wanted("timestamp", "moment", sources, NEWEST_SO_FAR.format(column="timestamp"))


_CONNECTOR = Wanted("connector_id", "text", ("connector_id",), "'unknown'", needed=True, longest=255)
_ELAPSED = Wanted("response_time_ms", "int32", ("response_time_ms", "response_time"))
_NAMED_SO = "(SELECT c.connector_name FROM api_connectors AS c WHERE c.connector_id = source.connector_id)"
_READ_FROM = "(SELECT c.source_id FROM api_connectors AS c WHERE c.connector_id = source.connector_id)"

# In the order in which they are copied: files before their rows, connectors before what they read.
TARGETS = (
    Target(
        table="api_connectors",
        core=True,
        wanted=(
            _CONNECTOR,
            Wanted("connector_name", "text", ("connector_name", "name", "api_name")),
            Wanted("source_id", "text", ("source_id", "exchange", "source"), longest=255),
            Wanted("created_at", "moment", ("created_at",), "%(earliest)s"),
            Wanted("updated_at", "moment", ("updated_at", "created_at"), "%(earliest)s"),
        ),
    ),
    Target(
        table="api_connector_data",
        core=True,
        partitioned=True,
        wanted=(
            _CONNECTOR,
            Wanted("response_data", "json", ("response_data", "data", "response"), "'null'::jsonb", needed=True),
            Wanted("raw_response", "text", ("raw_response",)),
            _moment("timestamp", "created_at", "fetched_at"),
            _ELAPSED,
            Wanted("extraction_id", "text", (), "gen_random_uuid()"),
        ),
    ),
    Target(
        table="api_connector_items",
        partitioned=True,
        slice_rows=5_000,
        wanted=(
            _CONNECTOR,
            Wanted("api_name", "text", ("api_name", "connector_name"), f"{_NAMED_SO}, source.connector_id, 'unknown'"),
            Wanted("exchange", "text", ("exchange", "source_id"), _READ_FROM, longest=255),
            Wanted("coin_name", "text", ("coin_name", "name"), longest=300),
            Wanted("coin_symbol", "text", ("coin_symbol", "symbol"), longest=100),
            Wanted("quote_symbol", "text", ("quote_symbol", "quote"), longest=100),
            Wanted("price", "numeric", ("price", "current_price")),
            Wanted("market_cap", "numeric", ("market_cap",)),
            Wanted("volume_24h", "numeric", ("volume_24h", "volume", "total_volume")),
            Wanted("price_change_24h", "numeric", ("price_change_24h", "price_change_percentage_24h")),
            Wanted("market_cap_rank", "int64", ("market_cap_rank", "rank")),
            _moment("timestamp", "created_at", "fetched_at"),
            _ELAPSED,
            Wanted("extra", "json", ("extra",)),
        ),
    ),
    Target(
        table="websocket_data",
        partitioned=True,
        wanted=(
            Wanted("message_type", "text", ("message_type", "type"), longest=100),
            Wanted("data", "json", ("data", "message", "payload"), "'null'::jsonb", needed=True),
            _moment("timestamp", "created_at", "received_at"),
            Wanted("connector_id", "text", ("connector_id",), longest=255),
            Wanted("extraction_id", "text", (), "gen_random_uuid()"),
        ),
    ),
    Target(
        table="files",
        wanted=(
            Wanted(
                "filename", "text", ("filename", "file_name", "original_name", "original_filename", "name"),
                "'unknown'", needed=True,
            ),
            Wanted(
                "file_type", "text", ("file_type", "content_type", "mime_type", "type", "format", "extension"),
                r"left(lower(substring(source.filename FROM '\.([^.]+)$')), 50), 'unknown'", longest=50,
            ),
            Wanted("file_size", "int64", ("file_size", "size", "size_bytes", "filesize"), "0"),
            Wanted("row_count", "int64", ("row_count", "total_rows", "num_rows", "rows_count", "record_count", "rows")),
            Wanted(
                "uploaded_at", "moment", ("uploaded_at", "upload_time", "upload_date", "created_at", "timestamp"),
                "%(earliest)s",
            ),
        ),
    ),
    Target(
        table="file_data",
        wanted=(
            Wanted("file_id", "int32", ("file_id",), needed=True),
            Wanted(
                "row_number", "int64", ("row_number", "row_index", "row_num", "line_number"),
                "row_number() OVER (PARTITION BY source.file_id ORDER BY source.key) + coalesce("
                "(SELECT max(d.row_number) FROM file_data AS d WHERE d.file_id = source.file_id), 0)",
            ),
            Wanted("row_data", "json", ("row_data", "data", "content", "row"), "'null'::jsonb", needed=True),
        ),
    ),
)  # fmt: skip
BY_TABLE: Mapping[str, Target] = {target.table: target for target in TARGETS}
