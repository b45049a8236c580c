"""Rows by the slice: taken from a table in threads, one slice ahead of the one that is being stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import trio

from ..errors import FileRefused, NoRoom
from ..messages import StoredFile
from .folder import Part
from .processing import Format, render_row

SLICE_ROWS = 2_000
SLICE_BYTES = 524_288
CONVERTED_ROWS = 250
PREVIEW_ROWS = 10
PREVIEW_BYTES = 262_144
# How much larger than a file its rows may be: a short row repeats the names of its columns.
MAX_GROWTH = 20
FREE_GROWTH_BYTES = 67_108_864


class Reading:
    """Reads slices in threads, one ahead of the one that is being stored. ``failure`` is why it ended early."""

    def __init__(self, take: Callable[[], list[bytes]], *, at_end: Callable[[], None] = lambda: None) -> None:
        self._take = take
        self._at_end = at_end
        self.failure: FileRefused | NoRoom | None = None

    async def feed(self, store: Callable[[AsyncIterator[Sequence[bytes]]], Awaitable[StoredFile]]) -> StoredFile:
        """What ``store`` makes of the slices."""
        send, receive = trio.open_memory_channel[Sequence[bytes]](1)
        failure: Exception | None = None
        async with trio.open_nursery() as nursery, receive:
            nursery.start_soon(self._read, send)
            try:
                stored = await store(receive)
            except Exception as error:  # kept for outside the nursery, which would wrap it
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return stored

    async def _read(self, send: trio.MemorySendChannel[Sequence[bytes]]) -> None:
        async with send:
            try:
                while slice_ := await trio.to_thread.run_sync(self._take):
                    await send.send(slice_)
                await trio.to_thread.run_sync(self._at_end)
            except (FileRefused, NoRoom) as error:
                self.failure = error


class Taken:
    """How many rows were taken, and how many bytes they are; refuses a file that grows out of proportion."""

    def __init__(self, file_size: int) -> None:
        self.rows = 0
        self._bytes = 0
        self._most = file_size * MAX_GROWTH + FREE_GROWTH_BYTES

    def add(self, documents: Sequence[bytes]) -> None:
        """Some more. Raises :class:`FileRefused`."""
        self.rows += len(documents)
        self._bytes += sum(map(len, documents))
        if self._bytes > self._most:
            reason = f"its rows, each with the names of its columns, take more than {MAX_GROWTH} times its size"
            raise FileRefused(f"{reason}; give the columns shorter names", places=(("file", reason),))


def take_slice(documents: Iterator[bytes], taken: Taken) -> list[bytes]:
    """Some more rows."""
    slice_: list[bytes] = []
    size = 0
    for one in documents:
        slice_.append(one)
        size += len(one)
        if size >= SLICE_BYTES or len(slice_) >= SLICE_ROWS:
            break
    taken.add(slice_)
    return slice_


def convert_slice(
    records: Iterator[Mapping[str, Any]],
    convert: Callable[[Mapping[str, Any]], dict[str, Any]],
    output: Format,
    *,
    result: Part,
    taken: Taken,
    preview: list[bytes],
) -> list[bytes]:
    """Some more rows, as JSON objects; they are in ``result`` then, and the first of all in ``preview``."""
    documents: list[bytes] = []
    text, size = [], 0
    for row in islice(records, CONVERTED_ROWS):
        document, rendered = render_row(convert(row), output)
        if len(preview) < PREVIEW_ROWS and sum(map(len, preview)) + len(document) <= PREVIEW_BYTES:
            preview.append(document)
        documents.append(document)
        text.append(rendered)
        size += len(document)
        if size >= SLICE_BYTES:
            break
    taken.add(documents)
    result.write(b"".join(text))
    return documents
