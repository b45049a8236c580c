"""One file on its way in: written to disk as it arrives, then read as rows and stored, or made clean and stored.

Reading happens in a thread, a slice of rows at a time; between two slices the loop sends the rows to PostgreSQL. What
was not stored leaves nothing behind: the file on disk goes with the block of ``FileDesk.receiving``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from itertools import islice
from typing import Any, Protocol

import msgspec
import trio
from msgspec import Struct

from ..errors import FileRefused, NoRoom
from ..messages import DeclaredFile, FileContents, NewFile, StoredFile
from .folder import Part, stored_name
from .processing import Format, Profile, render_header, render_rows
from .recognition import open_table
from .rows import Table

WRITE_BYTES = 262_144
SLICE_ROWS = 2_000
SLICE_BYTES = 524_288
CONVERTED_ROWS = 250
PREVIEW_ROWS = 10
PREVIEW_BYTES = 262_144
# How much larger than a file its rows may be: a short row repeats the names of its columns.
MAX_GROWTH = 20
FREE_GROWTH_BYTES = 67_108_864


class Store(Protocol):
    """Stores a file with its rows, all or nothing."""

    async def store(
        self, new: NewFile, slices: AsyncIterator[Sequence[bytes]], contents: Callable[[], FileContents]
    ) -> StoredFile: ...


OpenResult = Callable[[str], AbstractAsyncContextManager[Part]]
"""Opens the unfinished file that a result is written to, by the name it will have."""


class Processed(Struct, frozen=True):
    """A stored result; ``preview`` are its first rows as JSON objects."""

    file: StoredFile
    preview: tuple[bytes, ...]


class Arrival:
    """A file that is received; made by ``FileDesk.receiving``."""

    def __init__(self, part: Part, store: Store, turns: trio.Semaphore, open_result: OpenResult) -> None:
        self._part = part
        self._store = store
        self._turns = turns
        self._open_result = open_result
        self._buffer = bytearray()

    async def write(self, data: bytes) -> None:
        """The next bytes of it. Raises :class:`NoRoom`."""
        self._buffer += data
        if len(self._buffer) >= WRITE_BYTES:
            await self._flush()

    async def upload(self, declared: DeclaredFile) -> StoredFile:
        """Keep it, with its rows. Raises :class:`FileRefused`, :class:`NoRoom`, or what storage raises."""
        await self._flush()
        await trio.to_thread.run_sync(self._part.rename, stored_name(declared.filename))
        await trio.to_thread.run_sync(self._part.sync)
        async with self._turns:
            with self._opened(declared) as file:
                table = await trio.to_thread.run_sync(self._table, file, declared)
                documents = table.documents()
                taken = _Taken(self._part.size)
                reading = _Reading(partial(_take, documents, taken))
                new = _new_file(table, declared, kind="upload", filename=declared.filename, part=self._part)
                return await self._keep(self._part, new, reading, partial(_contents, table, taken, self._part))

    async def process(self, declared: DeclaredFile, output: Format) -> Processed:
        """Keep a clean version of it, and not itself. Raises as :meth:`upload` does."""
        await self._flush()
        async with self._turns:
            profile = await trio.to_thread.run_sync(self._profile, declared)
            async with self._open_result(stored_name(declared.filename, ending=output)) as result:
                return await self._convert(declared, output, profile, result)

    async def _convert(self, declared: DeclaredFile, output: Format, profile: Profile, result: Part) -> Processed:
        columns = profile.columns()
        preview: list[bytes] = []
        with self._opened(declared) as file:
            table = await trio.to_thread.run_sync(self._table, file, declared)
            result.write(render_header(columns, output))
            taken = _Taken(self._part.size)
            convert = partial(
                _convert_slice, table.records(), profile.convert(), output, result=result, taken=taken, preview=preview
            )
            reading = _Reading(convert, at_end=result.sync)
            new = _new_file(table, declared, kind="processed", filename=result.stored_name, part=result)
            new = msgspec.structs.replace(new, file_type=output, delimiter="," if output == "csv" else None)
            contents = partial(_contents, table, taken, result, columns=msgspec.to_builtins(columns))
            return Processed(await self._keep(result, new, reading, contents), tuple(preview))

    async def _keep(
        self, part: Part, new: NewFile, reading: _Reading, contents: Callable[[], FileContents]
    ) -> StoredFile:
        """Store, then publish. Once the COMMIT may have begun, only the database knows whether the file stays."""
        decided = False

        def decide() -> FileContents:
            nonlocal decided
            if reading.failure is not None:
                raise reading.failure
            known = contents()
            decided = True
            return known

        try:
            stored = await reading.feed(lambda slices: self._store.store(new, slices, decide))
        except BaseException:
            if decided:
                part.leave()
            raise
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(part.publish)
        return stored

    async def _flush(self) -> None:
        if self._buffer:
            data, self._buffer = bytes(self._buffer), bytearray()
            await trio.to_thread.run_sync(self._part.write, data)

    def _profile(self, declared: DeclaredFile) -> Profile:
        with self._opened(declared) as file:
            table = self._table(file, declared)
            profile = Profile(table)
            for place, row in enumerate(table.records()):
                if place % CONVERTED_ROWS == 0:
                    trio.from_thread.check_cancelled()
                profile.see(row)
        if not profile.rows and table.bad.count:
            raise table.bad.refusal()
        return profile

    @contextmanager
    def _opened(self, declared: DeclaredFile) -> Iterator[Any]:
        file = self._part.open()
        try:
            yield file
        finally:
            file.close()

    def _table(self, file: Any, declared: DeclaredFile) -> Table:
        table = open_table(file, declared)
        table.bad.pulse = trio.from_thread.check_cancelled
        return table


class _Reading:
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


class _Taken:
    """How many rows were taken, and how many bytes they are; refuses a file that grows out of proportion."""

    def __init__(self, file_size: int) -> None:
        self.rows = 0
        self._bytes = 0
        self._most = file_size * MAX_GROWTH + FREE_GROWTH_BYTES

    def add(self, documents: Sequence[bytes]) -> None:
        self.rows += len(documents)
        self._bytes += sum(map(len, documents))
        if self._bytes > self._most:
            reason = f"its rows, each with the names of its columns, take more than {MAX_GROWTH} times its size"
            raise FileRefused(f"{reason}; give the columns shorter names", places=(("file", reason),))


def _take(documents: Iterator[bytes], taken: _Taken) -> list[bytes]:
    slice_: list[bytes] = []
    size = 0
    for one in documents:
        slice_.append(one)
        size += len(one)
        if size >= SLICE_BYTES or len(slice_) >= SLICE_ROWS:
            break
    taken.add(slice_)
    return slice_


def _convert_slice(
    records: Iterator[Mapping[str, Any]],
    convert: Callable[[Mapping[str, Any]], dict[str, Any]],
    output: Format,
    *,
    result: Part,
    taken: _Taken,
    preview: list[bytes],
) -> list[bytes]:
    documents, text = render_rows([convert(row) for row in islice(records, CONVERTED_ROWS)], output)
    if not taken.rows:
        preview += _beginning(documents)
    taken.add(documents)
    result.write(text)
    return documents


def _beginning(documents: Sequence[bytes]) -> Iterator[bytes]:
    left = PREVIEW_BYTES
    for one in documents[:PREVIEW_ROWS]:
        left -= len(one)
        if left < 0:
            return
        yield one


def _new_file(table: Table, declared: DeclaredFile, *, kind: Any, filename: str, part: Part) -> NewFile:
    return NewFile(
        kind=kind,
        filename=filename or "file",
        stored_name=part.stored_name,
        file_type=table.file_type,
        encoding=table.encoding,
        delimiter=table.delimiter,
    )


def _contents(table: Table, taken: _Taken, part: Part, columns: Sequence[Any] | None = None) -> FileContents:
    if not taken.rows and table.bad.count:
        raise table.bad.refusal()
    return FileContents(
        file_size=part.size,
        row_count=taken.rows,
        columns=table.columns if columns is None else columns,
        bad_rows=table.bad.report(),
    )
