"""A batch as bytes, and back: exactly what was appended, in a form that a later version of this service can read.

The first byte is the version of the form. In version 1 a zlib stream follows: pieces, each its length and then one
msgpack document. The first piece tells what the batch is, then comes each part without its lists, followed by these in
chunks. Pieces are small because msgspec holds the interpreter's lock for as long as one document takes: a response
with 300,000 items in one call would stop the event loop for a quarter of a second, from a thread as well.

What items were made of (``sources``) is left out: it would double everything, for a rare value that cannot be stored.
Numbers are texts in the messages and stay so. A cursor may hold any JSON value; what msgpack would take for something
else (a Decimal, an integer beyond 64 bits) goes as an extension of it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..messages import Batch, Item, Rejected, Transformed

VERSION = 1
# A fifth of what it was, for a fifth of a millisecond a hundred items; higher levels cost more than they save.
_LEVEL = 1
_CHUNK = 1000  # items or rejected in one document
_LENGTH = 4  # bytes
_DECIMAL, _INTEGER = 1, 2


class Undecodable(Exception):
    """These bytes are no batch. ``version`` is that of their form where it is one that we do not know."""

    def __init__(self, reason: str, *, version: int | None = None) -> None:
        self.version = version
        super().__init__(reason)


class _Head(Struct, frozen=True):
    batch_id: UUID
    left_by: str
    parts: int


class _Part(Struct, frozen=True):
    part: Transformed
    items: int
    rejected: int


def _extended(code: int, data: memoryview) -> Any:
    text = bytes(data).decode()
    if code == _DECIMAL:
        return Decimal(text)
    if code == _INTEGER:
        return int(text)
    raise ValueError(f"extension {code} is unknown")


_ENCODER = msgspec.msgpack.Encoder()
_HEAD = msgspec.msgpack.Decoder(_Head)
_PART = msgspec.msgpack.Decoder(_Part, ext_hook=_extended)
_ITEMS = msgspec.msgpack.Decoder(tuple[Item, ...])
_REJECTED = msgspec.msgpack.Decoder(tuple[Rejected, ...])


def encoded(batch: Batch) -> tuple[bytes, int]:
    """``batch`` as bytes, and how many there were before they were compressed."""
    packing = zlib.compressobj(_LEVEL)
    packed = [bytes([VERSION])]
    size = 0
    for piece in _pieces(batch):
        packed.append(packing.compress(len(piece).to_bytes(_LENGTH, "big")))
        packed.append(packing.compress(piece))
        size += _LENGTH + len(piece)
    packed.append(packing.flush())
    return b"".join(packed), size


def decoded(blob: bytes, size: int) -> Batch:
    """The batch that :func:`encoded` made ``blob`` of. Raises :class:`Undecodable`."""
    version = blob[0] if blob else None
    if version != VERSION:
        raise Undecodable(f"version {version} of the encoding is unknown to this service", version=version)
    try:
        return _unpacked(_Pieces(zlib.decompress(memoryview(blob)[1:], bufsize=size)))
    except (zlib.error, msgspec.MsgspecError, ValueError, ArithmeticError) as error:
        raise Undecodable(f"{type(error).__name__}: {error}") from error


def estimated_size(batch: Batch) -> int:
    """About how many bytes :func:`encoded` will have to go through; costs nothing."""
    return sum(len(part.body) + 300 + 300 * len(part.items) + _raw_size(part) for part in batch.parts)


def _raw_size(part: Transformed) -> int:
    return sum(len(one.raw) + 200 for one in part.rejected)


def _pieces(batch: Batch) -> Iterator[bytes]:
    yield _ENCODER.encode(_Head(batch.batch_id, batch.left_by, len(batch.parts)))
    for part in batch.parts:
        checkpoint = replace(part.checkpoint, cursor=_extendable(part.checkpoint.cursor))
        bare = replace(part, items=(), sources=(), rejected=(), checkpoint=checkpoint)
        yield _ENCODER.encode(_Part(bare, len(part.items), len(part.rejected)))
        for rows in (part.items, part.rejected):
            for start in range(0, len(rows), _CHUNK):
                yield _ENCODER.encode(rows[start : start + _CHUNK])


class _Pieces:
    """The pieces of an unpacked blob, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    def next(self) -> memoryview:
        start = self._at + _LENGTH
        self._at = start + int.from_bytes(self._data[self._at : start], "big")
        if self._at > len(self._data):
            raise ValueError("it ends in the middle")
        return self._data[start : self._at]


def _unpacked(pieces: _Pieces) -> Batch:
    head = _HEAD.decode(pieces.next())
    parts: list[Transformed] = []
    for _ in range(head.parts):
        said = _PART.decode(pieces.next())
        items: list[Item] = []
        while len(items) < said.items:
            items.extend(_ITEMS.decode(pieces.next()))
        rejected: list[Rejected] = []
        while len(rejected) < said.rejected:
            rejected.extend(_REJECTED.decode(pieces.next()))
        parts.append(replace(said.part, items=tuple(items), rejected=tuple(rejected)))
    return Batch(batch_id=head.batch_id, parts=tuple(parts), left_by=head.left_by)


def _extendable(value: Any) -> Any:
    """``value`` with what msgpack would change or refuse written as extensions."""
    if isinstance(value, Decimal):
        return msgspec.msgpack.Ext(_DECIMAL, str(value).encode())
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return msgspec.msgpack.Ext(_INTEGER, str(value).encode())
    if isinstance(value, dict):
        return {key: _extendable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_extendable(one) for one in value]
    return value
