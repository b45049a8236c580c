"""Where files lie: ``uploads/`` and ``processed/`` in the data folder.

A file that is still being written or not yet known to the database is named ``.NAME.part`` and locked by whoever works
on it; the kernel drops the lock when its holder ends, however it ends. So what a killed service left is told from what
another one is busy with, and only the database says whether it becomes a file or goes. No other file is ever touched.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import uuid_utils

from ..errors import NoRoom, UsageError

UPLOADS, PROCESSED = "uploads", "processed"
# What an upload leaves free on the disk, since the database may live on the same one.
RESERVE_BYTES = 268_435_456
MAX_NAME_CHARS = 100
READ_BYTES = 1_048_576
NEW_SECONDS = 5.0
CHECK_BYTES = 67_108_864

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_PART = re.compile(r"\.(.+)\.part")


class Part:
    """A file that is not finished. It is removed unless it is published or left for the sweep."""

    def __init__(self, folder: Path, stored_name: str) -> None:
        self._folder = folder
        self.stored_name = stored_name
        self.size = 0
        self.left = False
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with disk_errors():
            folder.mkdir(mode=0o700, exist_ok=True)  # somebody may have tidied it away
            descriptor = os.open(self._path, flags, 0o600)
            self._file = os.fdopen(descriptor, "w+b", buffering=0)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @property
    def _path(self) -> Path:
        return _part_path(self._folder, self.stored_name)

    def rename(self, stored_name: str) -> None:
        """Be published under another name than was thought."""
        old = self._path
        self.stored_name = stored_name
        with disk_errors():
            old.replace(self._path)

    def write(self, data: bytes) -> None:
        """Append. Raises :class:`NoRoom` when the disk does not take it."""
        if self.size // CHECK_BYTES < (self.size + len(data)) // CHECK_BYTES:
            check_room(self._folder, 0)
        with disk_errors():
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        self.size += len(data)

    def open(self) -> BinaryIO:
        """The content, from its beginning, to be closed by the caller.

        With a large buffer: a thread that lets go of the interpreter for a moment at every small read has it back
        before another one wakes up, and so keeps the event loop from it.
        """
        return self._path.open("rb", buffering=READ_BYTES)

    def sync(self) -> None:
        """What was written survives a loss of power from here on, under its present name."""
        with disk_errors():
            os.fsync(self._file.fileno())
            sync_folder(self._folder)

    def publish(self) -> None:
        """Give the file its own name. The database knows it already, so a failure is left to the sweep."""
        with suppress(OSError):
            self._path.replace(self._folder / self.stored_name)
            sync_folder(self._folder)
        self._file.close()

    def leave(self) -> None:
        """Nobody knows yet what becomes of it; the sweep will."""
        self.left = True
        self._file.close()

    def remove(self) -> None:
        """Away with it, unless it was published or left."""
        if not self._file.closed:
            self._path.unlink(missing_ok=True)
            self._file.close()


class disk_errors:  # noqa: N801  # a context manager, named for how it reads
    """Turns what the disk will not do, such as being full, into :class:`NoRoom`."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            why = (error.strerror or str(error)).lower()
            raise NoRoom(f"the service cannot write to its disk: {why}", disk=True) from error


def stored_name(filename: str, *, ending: str | None = None) -> str:
    """A name that no other file has and that is safe anywhere: a time-ordered id, and what is harmless of ``filename``.

    ``ending`` replaces that of the name.
    """
    last = re.split(r"[/\\]", filename)[-1]
    path = PurePosixPath(_UNSAFE.sub("_", last).strip("._") or "file")
    suffix = f".{ending}" if ending is not None else path.suffix[:20]
    return f"{uuid_utils.uuid7().hex}-{path.stem[:MAX_NAME_CHARS]}{suffix}"


def make_folders(data_dir: Path) -> None:
    """Both folders, closed to others. Raises :class:`UsageError`."""
    try:
        for name in (UPLOADS, PROCESSED):
            (data_dir / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the data folder {data_dir} cannot be used: {error}") from None


def free_bytes(folder: Path) -> int:
    """What the disk below ``folder`` has left for us. Raises OSError."""
    return shutil.disk_usage(folder).free


def check_room(folder: Path, wanted: int) -> None:
    """Raises :class:`NoRoom` unless ``wanted`` bytes fit and the reserve stays free."""
    free = free_bytes(folder)
    if free < wanted + RESERVE_BYTES:
        raise NoRoom(f"the disk of the service has {free:,} bytes free, too few for {wanted:,} more", disk=True)


def abandoned(folder: Path) -> Iterator[tuple[str, Path]]:
    """``(stored_name, path)`` of every unfinished file that nobody works on."""
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _PART.fullmatch(path.name)
        if match and path.is_file() and not path.is_symlink() and not _is_held(path):
            yield match[1], path


def withdraw(folder: Path, stored_name: str) -> None:
    """A finished file is an unfinished one again. Raises :class:`NoRoom` when the disk refuses."""
    with disk_errors(), suppress(FileNotFoundError):
        (folder / stored_name).replace(_part_path(folder, stored_name))


def discard(folder: Path, stored_name: str) -> None:
    """Away with a withdrawn file, and with what a sweep has made of it meanwhile."""
    for path in (_part_path(folder, stored_name), folder / stored_name):
        with suppress(OSError):  # the next sweep tries again
            path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make what was created or renamed in ``folder`` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _part_path(folder: Path, stored_name: str) -> Path:
    return folder / f".{stored_name}.part"


def _is_held(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not status.st_size and time.time() - status.st_mtime < NEW_SECONDS:
                return True  # made this instant, and not locked yet
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True  # it was finished meanwhile
    except BlockingIOError:
        return True
    return False
