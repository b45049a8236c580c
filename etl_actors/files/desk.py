"""Where files are handed in: the disk and the database kept in step, and neither crowded.

At most ``MOST_ARRIVING`` files are on their way at once, and ``MOST_PARSED`` of them are read. Others wait for their
turn, with little of them in memory, and are turned away when it does not come or when too many wait already. A finished
file is renamed only after its COMMIT, so what ``sweep`` finds unfinished is either known to the database, and gets its
name, or is not, and goes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import structlog
import trio
from msgspec import Struct

from ..errors import NoRoom
from ..messages import StoredFile
from .arrival import Arrival, Store
from .folder import PROCESSED, UPLOADS, Part, abandoned, check_room, discard, make_folders, sync_folder, withdraw

log = structlog.get_logger("files")

MOST_ARRIVING = 16
MOST_PARSED = 2
MOST_WAITING = 64
WAIT_SECONDS = 30.0
# How long a COMMIT whose answer was lost may still be under way.
SETTLED_SECONDS = 60.0


class Records(Store, Protocol):
    """What is known of files."""

    async def ready(self) -> None: ...
    async def known(self, stored_names: Collection[str]) -> set[str]: ...
    async def expired(self, before: datetime) -> list[StoredFile]: ...
    async def delete(self, file_id: int) -> bool: ...


class DeskStatistics(Struct, frozen=True, kw_only=True):
    """How many files are on their way, how many of them are read, and how many wait for a place."""

    arriving: int
    parsed: int
    waiting: int


class FileDesk:
    """Takes files in, and removes them. ``keep_days`` 0 keeps for ever."""

    def __init__(self, records: Records, data_dir: Path, *, keep_days: float) -> None:
        self._records = records
        self._folders = {"upload": data_dir / UPLOADS, "processed": data_dir / PROCESSED}
        self.keep_for(keep_days)
        self._places = trio.Semaphore(MOST_ARRIVING)
        self._turns = trio.Semaphore(MOST_PARSED)
        self._unsettled: dict[str, float] = {}
        make_folders(data_dir)

    def statistics(self) -> DeskStatistics:
        """A snapshot."""
        return DeskStatistics(
            arriving=MOST_ARRIVING - self._places.value,
            parsed=MOST_PARSED - self._turns.value,
            waiting=self._places.statistics().tasks_waiting,
        )

    def keep_for(self, keep_days: float) -> None:
        """From the next sweep on files are kept for so long; 0 keeps for ever."""
        self._keep = timedelta(days=keep_days) if keep_days else None

    @asynccontextmanager
    async def receiving(self, expected_bytes: int) -> AsyncIterator[Arrival]:
        """A place for one file. Raises :class:`NoRoom`, or :class:`StorageUnavailable` when it could not be stored."""
        await self._take_place()
        try:
            await self._records.ready()
            uploads = self._folders["upload"]
            check_room(uploads, expected_bytes)
            async with self._part(uploads, uuid4().hex) as part:
                yield Arrival(part, self._records, self._turns, partial(self._part, self._folders["processed"]))
        finally:
            self._places.release()

    async def remove(self, file: StoredFile) -> bool:
        """Delete a file from the database and the disk; False when somebody else did.

        On the disk it becomes unfinished first, so that the sweep settles it, one way or the other, when the rest
        fails. Raises :class:`StorageUnavailable`, or :class:`NoRoom` when the disk refuses.
        """
        if file.stored_name is None or file.kind not in self._folders:
            return await self._delete(file)
        folder = self._folders[file.kind]
        self._unsettled[file.stored_name] = trio.current_time()
        await trio.to_thread.run_sync(withdraw, folder, file.stored_name)
        removed = await self._delete(file)
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(discard, folder, file.stored_name)
        self._unsettled.pop(file.stored_name, None)
        return removed

    async def _delete(self, file: StoredFile) -> bool:
        removed = await self._records.delete(file.id)
        log.info("files.removed", file_id=file.id, filename=file.filename)
        return removed

    async def sweep(self, now: datetime) -> int:
        """Settle what was left unfinished, and drop what is too old. Raises :class:`StorageUnavailable`."""
        try:
            for folder in self._folders.values():
                await self._settle(folder)
            if self._keep is not None:
                for file in await self._records.expired(now - self._keep):
                    await self.remove(file)
        except (OSError, NoRoom) as error:
            # A disk that will not is no reason to stop anything else; the next sweep tries again.
            log.warning("files.sweep_failed", error=str(error))
        return 0

    async def _take_place(self) -> None:
        if self._places.statistics().tasks_waiting < MOST_WAITING:
            with trio.move_on_after(WAIT_SECONDS):
                await self._places.acquire()
                return
        raise NoRoom(f"{MOST_ARRIVING} files are on their way already, and others wait", disk=False)

    async def _settle(self, folder: Path) -> None:
        left = await trio.to_thread.run_sync(lambda: dict(abandoned(folder)))
        fresh = {name for name, since in self._unsettled.items() if trio.current_time() - since < SETTLED_SECONDS}
        left = {name: path for name, path in left.items() if name not in fresh}
        if not left:
            return
        known = await self._records.known(left)
        for name, path in left.items():
            await trio.to_thread.run_sync(_settle_one, path, folder / name if name in known else None)
            log.info("files.settled", stored_name=name, kept=name in known)
            self._unsettled.pop(name, None)

    @asynccontextmanager
    async def _part(self, folder: Path, name: str) -> AsyncIterator[Part]:
        part = await trio.to_thread.run_sync(Part, folder, name)
        try:
            yield part
        finally:
            if part.left:
                self._unsettled[part.stored_name] = trio.current_time()
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(part.remove)


def _settle_one(path: Path, final: Path | None) -> None:
    if final is None:
        path.unlink(missing_ok=True)
        return
    path.replace(final)
    sync_folder(final.parent)
