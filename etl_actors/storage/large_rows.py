"""A row with something large in it, given to COPY in slices: to escape and copy all of it at once holds the event loop,
and takes its size several times over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from psycopg import AsyncCopy

SLICE_BYTES = 131_072

# COPY's text format, of bytes that are text already.
_ESCAPES = ((b"\\", b"\\\\"), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\t", b"\\t"))


class Text(Struct, frozen=True):
    """Text as its UTF-8."""

    utf8: bytes


async def write_row(copy: AsyncCopy, row: Sequence[Any]) -> None:
    """Like ``copy.write_row``, for values of text, numbers, bytes and :class:`Text`."""
    if sum(len(_bytes_of(value)) for value in row) <= SLICE_BYTES:
        await copy.write_row([value.utf8.decode() if isinstance(value, Text) else value for value in row])
        return
    for place, value in enumerate(row):
        if place:
            await copy.write(b"\t")
        for slice_ in _slices(value):
            await copy.write(slice_)
    await copy.write(b"\n")


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, Text):
        return value.utf8
    return value if isinstance(value, bytes) else b""


def _slices(value: Any) -> Iterator[bytes]:
    if value is None:
        yield rb"\N"
    elif isinstance(value, bytes):
        yield rb"\\x"
        for start in range(0, len(value), SLICE_BYTES):
            yield value[start : start + SLICE_BYTES].hex().encode()
    else:
        text = value.utf8 if isinstance(value, Text) else str(value).encode()
        for start in range(0, len(text), SLICE_BYTES):
            yield _escaped(text[start : start + SLICE_BYTES])


def _escaped(text: bytes) -> bytes:
    for plain, escaped in _ESCAPES:
        text = text.replace(plain, escaped)
    return text
