"""One file on its way in: written to disk as it arrives, then read as rows and stored, or made clean and stored.

What was not stored leaves nothing behind: the file on disk goes with the block of ``FileDesk.receiving``.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from itertools import islice
from typing import Any, Protocol

import msgspec
import trio
from msgspec import Struct

from ..messages import DeclaredFile, FileContents, NewFile, StoredFile
from .folder import Part, stored_name
from .processing import Format, Profile, render_header
from .recognition import open_table
from .rows import Table
from .slices import Reading, Taken, convert_slice, take_slice

WRITE_BYTES = 262_144
PROFILED_ROWS = 500
PAUSE_SECONDS = 0.0005


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
                taken = Taken(self._part.size)
                reading = Reading(partial(take_slice, documents, taken))
                new = _new_file(table, declared, kind="upload", filename=declared.filename, part=self._part)
                return await self._keep(self._part, new, reading, partial(_contents, table, taken, self._part))

    async def process(self, declared: DeclaredFile, output: Format) -> Processed:
        """Keep a clean version of it, and not itself. Raises as :meth:`upload` does."""
        await self._flush()
        async with self._turns:
            profile = await self._profile(declared)
            async with self._open_result(stored_name(declared.filename, ending=output)) as result:
                return await self._convert(declared, output, profile, result)

    async def _convert(self, declared: DeclaredFile, output: Format, profile: Profile, result: Part) -> Processed:
        columns = profile.columns()
        preview: list[bytes] = []
        with self._opened(declared) as file:
            table = await trio.to_thread.run_sync(self._table, file, declared)
            result.write(render_header(columns, output))
            taken = Taken(self._part.size)
            convert = partial(
                convert_slice, table.records(), profile.convert(), output, result=result, taken=taken, preview=preview
            )
            reading = Reading(convert, at_end=result.sync)
            new = _new_file(table, declared, kind="processed", filename=result.stored_name, part=result)
            new = msgspec.structs.replace(new, file_type=output, delimiter="," if output == "csv" else None)
            contents = partial(_contents, table, taken, result, columns=msgspec.to_builtins(columns))
            return Processed(await self._keep(result, new, reading, contents), tuple(preview))

    async def _keep(
        self, part: Part, new: NewFile, reading: Reading, contents: Callable[[], FileContents]
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

    async def _profile(self, declared: DeclaredFile) -> Profile:
        with self._opened(declared) as file:
            table = await trio.to_thread.run_sync(self._table, file, declared)
            profile, records = Profile(table), table.records()
            # Back on the loop after every slice: a thread that computes on and on keeps it from the interpreter.
            while await trio.to_thread.run_sync(profile.see, islice(records, PROFILED_ROWS)):
                pass
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
        table.bad.pulse = _pause
        return table


def _pause() -> None:
    """Between many bad rows: notice that nobody waits any more, and let the event loop have the interpreter."""
    trio.from_thread.check_cancelled()
    time.sleep(PAUSE_SECONDS)


def _new_file(table: Table, declared: DeclaredFile, *, kind: Any, filename: str, part: Part) -> NewFile:
    return NewFile(
        kind=kind,
        filename=filename or "file",
        stored_name=part.stored_name,
        file_type=table.file_type,
        encoding=table.encoding,
        delimiter=table.delimiter,
    )


def _contents(table: Table, taken: Taken, part: Part, columns: Sequence[Any] | None = None) -> FileContents:
    if not taken.rows and table.bad.count:
        raise table.bad.refusal()
    return FileContents(
        file_size=part.size,
        row_count=taken.rows,
        columns=table.columns if columns is None else columns,
        bad_rows=table.bad.report(),
    )
