"""The pages of an SQLite file that SQLite itself may not be able to read any more, and of the log beside it.

Nothing here believes what it reads: a page is bytes at a place. Which are worth something is found out by whoever finds
a record in them. The format is that of https://sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

PAGE = 4096
LEAF = 0x0D  # the first byte of a page that holds rows
LOG_HEADER = 32
_FRAME_HEADER = 24
_FRAME = struct.Struct(">II8s")
_FRAME_SIZE = _FRAME_HEADER + PAGE
_STRETCH = 256 * PAGE


def log_of(path: Path) -> Path:
    """The write-ahead log of a database."""
    return path.with_name(path.name + "-wal")


class Log:
    """What the log says was committed in it, by its frames' headers only: checksums are not looked at.

    ``commits`` are the numbers of the frames that end a transaction, also those behind a damaged one, where SQLite
    would have stopped; ``places`` tells where in it the newest image of each page begins.
    """

    def __init__(self, path: Path) -> None:
        self.commits: list[int] = []
        self.places: dict[int, int] = {}
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._scan(descriptor)
            finally:
                os.close(descriptor)

    def _scan(self, descriptor: int) -> None:
        frames: list[tuple[int, int, bytes, int]] = []
        whole = max(0, os.fstat(descriptor).st_size - LOG_HEADER) // _FRAME_SIZE
        for at in range(LOG_HEADER, LOG_HEADER + whole * _FRAME_SIZE, _FRAME_SIZE):
            with suppress(OSError, struct.error):
                frames.append((*_FRAME.unpack(os.pread(descriptor, _FRAME.size, at)), at + _FRAME_HEADER))
        current = _generation(os.pread(descriptor, LOG_HEADER, 0), [salt for _, _, salt, _ in frames])
        pending: dict[int, int] = {}
        for number, (page, commits, salt, place) in enumerate(frames, 1):
            if salt == current:
                pending[page] = place
                if commits:
                    self.places.update(pending)
                    self.commits.append(number)


def _generation(header: bytes, salts: list[bytes]) -> bytes:
    """What marks the frames that belong together; those of an earlier use of the log lie behind them."""
    if len(header) == LOG_HEADER:
        order = ">" if header[3] & 1 else "<"
        *words, first, second = struct.unpack(f"{order}6I", header[:24]) + struct.unpack(">2I", header[24:])
        one = two = 0
        for index in range(0, len(words), 2):
            one = (one + words[index] + two) & 0xFFFFFFFF
            two = (two + words[index + 1] + one) & 0xFFFFFFFF
        if (one, two) == (first, second):
            return header[16:24]
    # The header is what is damaged. It is written anew before the first frame is, so that one is of this generation.
    return Counter(salts[:3]).most_common(1)[0][0] if salts else b""


class Pages:
    """The pages of ``path`` with those of its log laid over them. To be closed."""

    def __init__(self, path: Path) -> None:
        self._descriptors: list[int] = []
        self._file = self._open(path)
        self.logged: Mapping[int, int] = Log(log_of(path)).places
        self._log = self._open(log_of(path)) if self.logged else None
        self.bytes = sum(os.fstat(descriptor).st_size for descriptor in self._descriptors)

    def _open(self, path: Path) -> int:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._descriptors.append(descriptor)
        return descriptor

    def page(self, number: int, *, logged: bool) -> bytes:
        """Page ``number``, as the log has it where ``logged`` and it does; b"" where it cannot be read."""
        with suppress(OSError):
            if logged and self._log is not None and number in self.logged:
                return os.pread(self._log, PAGE, self.logged[number])
            return os.pread(self._file, PAGE, (number - 1) * PAGE)
        return b""

    def leaves(self) -> Iterator[tuple[int, bytes, bool]]:
        """Every image of a page that looks as if it held rows: number, content, and whether it is the log's."""
        for number in self.logged:
            if (content := self.page(number, logged=True))[:1] == bytes([LEAF]):
                yield number, content, True
        start = 0
        while stretch := self._stretch(start):
            first = start // PAGE + 1
            for index, kind in enumerate(stretch[::PAGE]):
                if kind == LEAF:
                    yield first + index, stretch[index * PAGE : (index + 1) * PAGE], False
            start += _STRETCH

    def _stretch(self, start: int) -> bytes:
        try:
            return os.pread(self._file, _STRETCH, start)
        except OSError:
            # Part of the disk does not answer: page by page, what does.
            numbers = range(start // PAGE + 1, (start + _STRETCH) // PAGE + 1)
            return b"".join(self.page(number, logged=False).ljust(PAGE, b"\0") for number in numbers)

    def close(self) -> None:
        """Let go of the files."""
        while self._descriptors:
            os.close(self._descriptors.pop())
