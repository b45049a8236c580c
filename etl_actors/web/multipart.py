"""A multipart body as it streams by: the one file in it, piece by piece, and the small fields around it.

Werkzeug's decoder does the parsing; here it is kept from holding more than a piece, and what it complains of is told
to the client.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import trio
from quart import request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData, State

from ..messages import DeclaredFile
from .problems import Problem, invalid

PIECE_BYTES = 65_536
# What the decoder may hold: a piece, and the headers of a part.
HELD_BYTES = 262_144
MAX_FIELD_BYTES = 1_024
MAX_PARTS = 20
SILENT_SECONDS = 60.0

Write = Callable[[bytes], Awaitable[None]]


async def body_pieces() -> AsyncIterator[bytes]:
    """The body, a small piece at a time; 408 when none comes for ``SILENT_SECONDS``."""
    while True:
        with trio.move_on_after(SILENT_SECONDS) as waiting:
            data = await anext(request.body, b"")
        if waiting.cancelled_caught:
            raise Problem(408, "Too slow", f"nothing of the body came for {SILENT_SECONDS:g} seconds")
        if not data:
            return
        for start in range(0, len(data), PIECE_BYTES):
            yield data[start : start + PIECE_BYTES]


async def receive_multipart(write: Write) -> tuple[DeclaredFile, dict[str, str]]:
    """Hand the part ``file`` to ``write``; what is said about it, and the other fields."""
    reception = _Reception(write)
    decoder = MultipartDecoder(_boundary(), HELD_BYTES, max_parts=MAX_PARTS)
    try:
        async for piece in body_pieces():
            decoder.receive_data(piece)
            while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
                await reception.take(event)
            if decoder.state is State.EPILOGUE:
                del decoder.buffer[:]  # what follows the last boundary, which nobody needs
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), Epilogue):
            await reception.take(event)
    except (HTTPException, Problem):
        raise
    except (ValueError, AttributeError, TypeError) as error:
        # The decoder lets a part that is cut off or has broken headers fail as it happens to.
        raise Problem(400, "Cannot be parsed", f"the multipart body is broken or cut off: {error}") from None
    return reception.declared()


class _Reception:
    """Where each part goes."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._name = ""
        self._file: DeclaredFile | None = None
        self._bytes = 0
        self._in_file = False
        self._fields: dict[str, bytearray] = {}

    async def take(self, event: Event) -> None:
        if isinstance(event, File | Field):
            self._begin(event)
        elif isinstance(event, Data):
            await self._data(event.data)

    def declared(self) -> tuple[DeclaredFile, dict[str, str]]:
        """What was received."""
        if self._file is None:
            raise invalid("file", "is missing: send the file as the multipart part 'file'")
        if not self._file.filename and not self._bytes:
            raise invalid("file", "holds no file: none was chosen")
        return self._file, {name: value.decode("utf-8", "replace") for name, value in self._fields.items()}

    def _begin(self, event: File | Field) -> None:
        self._name = event.name or ""
        self._in_file = self._name == "file"
        if self._in_file:
            if self._file is not None:
                raise invalid("file", "is there twice: send one file at a time")
            self._file = _declared(event)
        elif isinstance(event, File):
            raise invalid(self._name or "file", "is a file, but only the part 'file' may be one")
        else:
            self._fields[self._name] = bytearray()

    async def _data(self, data: bytes) -> None:
        if self._in_file:
            self._bytes += len(data)
            await self._write(data)
            return
        field = self._fields[self._name]
        field += data
        if len(field) > MAX_FIELD_BYTES:
            raise RequestEntityTooLarge(f"the field {self._name!r} may be {MAX_FIELD_BYTES:,} bytes long at most")


def _declared(event: File | Field) -> DeclaredFile:
    content_type, options = parse_options_header(event.headers.get("content-type", ""))
    return DeclaredFile(
        filename=storable(event.filename) if isinstance(event, File) else "file",
        content_type=content_type.lower(),
        encoding=options.get("charset", ""),
    )


def storable(text: str) -> str:
    """A text as PostgreSQL can keep it: no NUL, no half characters."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _boundary() -> bytes:
    boundary = request.mimetype_params.get("boundary", "")
    if not 1 <= len(boundary) <= 200 or not boundary.isascii():
        raise Problem(400, "Cannot be parsed", "Content-Type: multipart/form-data needs its boundary")
    return boundary.encode("ascii")
