"""A file that takes up room, so that there is some when the disk is full.

To remove a record SQLite has to write; on a disk that is truly full it can only read. The ballast is given up then, and
taken on again when there is room for it twice. Without it nothing may be appended: it would sit in the ballast's place.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

NAME = "spool.ballast"
_STRETCH = bytes(262_144)


class Ballast:
    """``size`` bytes in ``folder``; ``there`` is whether they are."""

    def __init__(self, folder: Path, size: int) -> None:
        self._path = folder / NAME
        self.size = size
        with suppress(OSError):
            if self._path.stat().st_size != size:
                self.drop()
        self.there = self._path.exists()

    def drop(self) -> None:
        """Give up the room."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self.there = False

    def take_on(self) -> None:
        """Take the room again where the disk has it twice."""
        if self.there:
            return
        try:
            if room_on_disk(self._path.parent) >= 2 * self.size:
                self._write()
                self.there = True
        except OSError:
            self.drop()

    def _write(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, flags, 0o600)
        try:
            # Written, not only reserved: not every file system and system can reserve.
            left = self.size
            while left > 0:
                left -= os.write(descriptor, _STRETCH[:left])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def room_on_disk(folder: Path) -> int:
    """Bytes that are free for us where ``folder`` is."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
