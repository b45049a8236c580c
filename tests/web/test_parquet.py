"""Parquet holds every row with every digit, in row groups that are written as the slices come."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec import Raw

from etl_actors.web.export import PARQUET
from etl_actors.web.export.parquet import parquet_pieces

from .exports import COLUMNS, Slices, begun, exported, row

EXTREMES = [
    "0",
    "95000.50",
    "-1.5",
    "42724884822537020000000.50",
    "0.00000000000000000000000012345",
    "-" + "9" * 600 + "." + "9" * 400,
    "0." + "0" * 999 + "1",
    None,
]


def read(content: bytes) -> pa.Table:
    """The table in a file."""
    return pq.read_table(io.BytesIO(content))


@pytest.mark.parametrize("column", ["price", "market_cap", "volume_24h", "price_change_24h"])
async def test_every_digit_survives(column: str) -> None:
    """From a thousand digits to 1E-1000, with trailing zeros and signs."""
    values = [None if text is None else Raw(text.encode()) for text in EXTREMES]
    table = read(await exported(Slices([[row(**{column: value}) for value in values]]), PARQUET))
    assert table.column(column).to_pylist() == EXTREMES
    assert [None if text is None else Decimal(text) for text in table.column(column).to_pylist()][1] == Decimal(
        "95000.5"
    )


async def test_columns_are_those_of_an_item_with_types_of_their_own() -> None:
    """Whole numbers, moments in UTC to the microsecond, JSON as text; null stays null."""
    items = [
        row(7, market_cap_rank=2**40, extra=Raw(b'{"pair":"BTCUSDT"}')),
        row(8, None, timestamp="2025-12-08T16:00:00Z", response_time_ms=None),
    ]
    table = read(await exported(Slices([items]), PARQUET))
    assert table.column_names == list(COLUMNS)
    assert table.schema.field("timestamp").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("price").metadata[b"content"] == b"decimal"
    first, second = table.to_pylist()
    assert first["timestamp"] == datetime(2025, 12, 8, 16, 0, 0, 123456, UTC)
    assert (first["id"], first["market_cap_rank"], first["response_time_ms"]) == (7, 2**40, 145)
    assert first["extra"] == '{"pair":"BTCUSDT"}'
    assert second["timestamp"] == datetime(2025, 12, 8, 16, tzinfo=UTC)
    assert (second["price"], second["response_time_ms"], second["extra"]) == (None, None, None)


async def test_no_rows_are_a_file_with_columns() -> None:
    """So that what reads it finds its table."""
    table = read(await exported(Slices([]), PARQUET))
    assert (table.num_rows, table.column_names) == (0, list(COLUMNS))


async def test_row_groups_leave_as_slices_come() -> None:
    """Many slices, few groups, each handed on as soon as it is full; the rows in their order."""
    slices = Slices([[row(start + number) for number in range(30)] for start in range(0, 300, 30)])
    pieces: list[bytes] = []
    given: list[int] = []
    async for piece in parquet_pieces(await begun(slices), COLUMNS, group_rows=100):
        pieces.append(piece)
        given.append(slices.given)
    content = b"".join(pieces)
    file = pq.ParquetFile(io.BytesIO(content))
    assert [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)] == [120, 120, 60]
    assert file.read().column("id").to_pylist() == list(range(300))
    assert [at for at, piece in zip(given, pieces, strict=True) if len(piece) > 100] == [4, 8, 10]


async def test_heavy_rows_make_a_group_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a group may weigh counts, too: memory is bounded by bytes and not by rows alone."""
    monkeypatch.setattr("etl_actors.web.export.parquet.GROUP_BYTES", 10_000)
    heavy: dict[str, Any] = {"extra": Raw(b'{"a":"' + b"x" * 6_000 + b'"}')}
    content = b"".join([piece async for piece in parquet_pieces(await begun(Slices([[row(**heavy)]] * 5)), COLUMNS)])
    assert pq.ParquetFile(io.BytesIO(content)).metadata.num_row_groups == 3


def test_without_pyarrow_the_answer_says_how_to_get_it() -> None:
    """406, in a process where it cannot be imported."""
    program = (
        "import sys, trio; sys.modules['pyarrow'] = None\n"
        "from etl_actors.web.export.parquet import require_parquet\n"
        "from etl_actors.web.problems import Problem\n"
        "try: trio.run(require_parquet)\n"
        "except Problem as problem: print(problem.status, problem.detail)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("406 ")
    assert "pip install 'etl-actors[parquet]'" in done.stdout
