"""Undoes a content encoding in small steps, so that a few hostile kilobytes can cost neither memory nor time.

An inflater is fed what came from the wire and gives back pieces of at most :data:`STEP_BYTES`; who reads them counts
and lets others run between two pieces. Only gzip (of several members too) and deflate (with zlib's frame, as the RFC
says, and without, as some servers do) are offered and taken.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Protocol

from ..errors import PollFailed

ACCEPTED = "gzip, deflate"
STEP_BYTES = 262_144

# The codings of IANA's registry, one of which a careless server may send.
_KNOWN = frozenset({"aes128gcm", "br", "compress", "dcb", "dcz", "deflate", "exi", "gzip", "pack200-gzip", "zstd"})
_KNOWN |= {"x-compress", "x-gzip"}
_NAMED = 4

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


class Inflater(Protocol):
    """Bytes of the wire in, bytes of the answer out; a piece may be empty, which is a moment to let others run."""

    def feed(self, data: bytes) -> Iterator[bytes]: ...

    def finish(self) -> None:
        """The wire has ended: raises PollFailed when the encoded answer has not."""


def inflater_for(content_encoding: str) -> Inflater:
    """The inflater of a Content-Encoding header; PollFailed for one that was never offered."""
    codings = [
        coding for part in content_encoding.lower().split(",") if (coding := part.strip()) not in {"", "identity"}
    ]
    if not codings:
        return _Plain()
    if codings in (["gzip"], ["x-gzip"]):
        return _Gzip()
    if codings == ["deflate"]:
        return _Deflate()
    # Several codings in a row multiply what a bomb can do, and nobody sends them honestly.
    # Other words than these may be anything, a credential that is repeated among them.
    known = all(coding in _KNOWN for coding in codings[:_NAMED])
    named = f"encoded as {', '.join(codings[:_NAMED])}" if known else "in an encoding"
    raise PollFailed(f"the answer is {named}, which was not asked for")


class _Plain:
    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def finish(self) -> None:
        return


class _Gzip:
    def __init__(self) -> None:
        self._member: Any = None  # zlib does not publish the type of its decompressors
        self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member is None:
                # Padding with zeros between and after members is usual; nothing else is.
                data = data.lstrip(b"\0") if self._members else data
                if not data:
                    return
                self._member = zlib.decompressobj(wbits=_GZIP)
                self._members += 1
            yield from _steps(self._member, data)
            data = b""
            if self._member.eof:
                data = self._member.unused_data
                self._member = None

    def finish(self) -> None:
        if self._member is not None:
            raise PollFailed("the compressed answer ends before its end")


class _Deflate:
    def __init__(self) -> None:
        self._start = b""
        self._stream: Any = None  # see _Gzip

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            data = self._start = self._start + data
            if len(data) < 2:
                return
            self._stream = zlib.decompressobj(wbits=_ZLIB if _is_zlib(data) else _RAW)
        if data and self._stream.eof:
            raise PollFailed("the compressed answer goes on after its end")
        yield from _steps(self._stream, data)

    def finish(self) -> None:
        if self._start and (self._stream is None or not self._stream.eof):
            raise PollFailed("the compressed answer ends before its end")


def _is_zlib(start: bytes) -> bool:
    return start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0


def _steps(stream: Any, data: bytes) -> Iterator[bytes]:
    """Everything ``data`` inflates to, a step at a time."""
    while True:
        piece: bytes = stream.decompress(data, STEP_BYTES)
        yield piece
        data = stream.unconsumed_tail
        # A full step may have left output inside zlib although its input is used up.
        if stream.eof or (not data and len(piece) < STEP_BYTES):
            return
