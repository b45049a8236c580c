"""Rows as Parquet, a row group at a time: nothing but the group in hand and the index at the file's end is in memory.

Prices and the like are **decimal texts**, for the sake of their digits. Parquet's own decimals have one scale a column
and, where readers agree on them (Spark, Polars, Snowflake), 38 digits, which no single scale shares out so that both a
market value of 23 digits and a coin of 1E-25 fit. Wider decimals are refused by some readers and become floats in
others (DuckDB); floats lose digits everywhere. A text is read by all of them, and one cast away from the number its
reader wants: ``CAST(price AS DOUBLE)``, ``pl.col("price").cast(pl.Float64)``, ``df.price.astype(float)``.
Times are ``timestamp[us, UTC]``, ``extra`` is JSON text.

pyarrow is an extra of this package and is imported when somebody asks for Parquet; it encodes in a worker thread.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any

import trio
from msgspec import Raw

from ..problems import Problem
from .slices import Rows, Slices

# A group is written when it has so many rows, or earlier when they weigh so much. Small groups compress badly, and the
# index of a long file grows with their number; large ones are what an export costs in memory.
GROUP_ROWS = 20_000
GROUP_BYTES = 16_777_216

_WHOLE = ("id", "market_cap_rank", "response_time_ms")
_DECIMAL = ("price", "market_cap", "volume_24h", "price_change_24h")


async def require_parquet() -> None:
    """Raise a 406 :class:`Problem` where Parquet cannot be written."""
    try:
        await trio.to_thread.run_sync(_import)
    except ImportError:
        raise Problem(
            406,
            "Not acceptable",
            "this service cannot write Parquet: pip install 'etl-actors[parquet]' adds it; CSV (text/csv) and NDJSON"
            " (application/x-ndjson) work without",
        ) from None


async def parquet_pieces(
    slices: Slices, columns: Sequence[str], *, group_rows: int = GROUP_ROWS
) -> AsyncIterator[bytes]:
    """The file, a piece a row group."""
    async with aclosing(slices):
        file = await trio.to_thread.run_sync(_File, columns, group_rows)
        try:
            async for rows in slices:
                piece = await trio.to_thread.run_sync(file.add, rows)
                if piece:
                    yield piece
            yield await trio.to_thread.run_sync(file.end)
        finally:
            file.close()


class _File:
    """A Parquet file under way. Synchronous; each call returns the bytes that are finished by then."""

    def __init__(self, columns: Sequence[str], group_rows: int) -> None:
        pa, pq = _import()
        self._sink = _Sink()
        self._pa = pa
        self._group_rows = group_rows
        self._schema = pa.schema([_field(pa, name) for name in columns])
        self._makers: list[Callable[[Any], Any] | None] = [_maker(name) for name in columns]
        # zstd: a third smaller than snappy for rows like these, and every reader of the last years has it.
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._waiting: list[Any] = []

    def add(self, rows: Rows) -> bytes:
        """Take more rows."""
        self._waiting.append(self._batch(rows))
        count = sum(batch.num_rows for batch in self._waiting)
        if count >= self._group_rows or sum(batch.nbytes for batch in self._waiting) >= GROUP_BYTES:
            self._write_group()
        return self._sink.drain()

    def end(self) -> bytes:
        """The rest of the rows, and the index."""
        if self._waiting:
            self._write_group()
        self._writer.close()
        return self._sink.drain()

    def close(self) -> None:
        """Let go of everything, finished or not."""
        self._waiting = []
        self._writer.close()
        self._sink.drain()

    def _write_group(self) -> None:
        table = self._pa.Table.from_batches(self._waiting, self._schema)
        self._waiting = []
        self._writer.write_table(table, row_group_size=table.num_rows)

    def _batch(self, rows: Rows) -> Any:
        arrays = []
        for field, make in zip(self._schema, self._makers, strict=True):
            values = [getattr(row, field.name) for row in rows]
            if make is not None:
                values = [None if value is None else make(value) for value in values]
            arrays.append(self._pa.array(values, field.type))
        return self._pa.RecordBatch.from_arrays(arrays, schema=self._schema)


class _Sink(io.RawIOBase):
    """Where the writer writes: what lies here is on its way to the client with the next ``drain``."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def drain(self) -> bytes:
        """Everything written since the last call."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _import() -> tuple[Any, Any]:
    import pyarrow  # an extra, and a quarter of a second that only Parquet needs
    import pyarrow.parquet

    return pyarrow, pyarrow.parquet


def _field(pa: Any, name: str) -> Any:
    if name in _WHOLE:
        return pa.field(name, pa.int64())
    if name == "timestamp":
        return pa.field(name, pa.timestamp("us", tz="UTC"))
    # Parquet files describe themselves; this is the only way to say what is in a text.
    kind = {"decimal": _DECIMAL, "json": ("extra",)}
    content = next((word for word, names in kind.items() if name in names), None)
    return pa.field(name, pa.string(), metadata={"content": content} if content else None)


def _maker(name: str) -> Callable[[Any], Any] | None:
    """What makes a value of a row one that Arrow takes; None where it is one already."""
    if name == "timestamp":
        return datetime.fromisoformat
    return _text if name in {*_DECIMAL, "extra"} else None


def _text(value: Raw) -> str:
    return bytes(value).decode()
