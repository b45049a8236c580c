"""A spool file that SQLite cannot be trusted with any more, and what can still be read from it.

It is set aside under another name and drained where it lies, before what is newer. Copying it into a new file would
make the start wait for as many bytes as there are, and needs room that a full disk has not. What was lost with it stays
in it: once drained it is kept (the newest such file only), else removed.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from contextlib import suppress
from itertools import count
from pathlib import Path

import structlog

from .cells import Broken, cells, columns_of
from .encoding import Undecodable
from .pages import Pages, log_of
from .place import LENGTH, Place, unpack
from .record import Record

log = structlog.get_logger("spool")

_COLUMNS = 8
_BEGINNING = 5  # sequence, batch_id, rows, size, written_at
_WAITING, _DRAINED = "spool.damaged-{}.sqlite3", "spool.drained-{}.sqlite3"


def set_aside(path: Path) -> Path:
    """Give a damaged file and its log another name; returns that."""
    for moment in count(time.time_ns() // 1_000_000):
        name = path.with_name(_WAITING.format(moment))
        if not name.exists() and not log_of(name).exists():
            break
    # The log first: the file without it is older, the log without its file is nothing.
    for old, new in ((log_of(path), log_of(name)), (path, name)):
        with suppress(FileNotFoundError):
            old.rename(new)
    return name


def ruins(folder: Path) -> list[Ruin]:
    """Those that are not drained yet, the oldest first. What cannot be opened waits for another start."""
    found: list[Ruin] = []
    for path in sorted(folder.glob(_WAITING.format("*"))):
        try:
            found.append(Ruin(path))
        except OSError as error:
            log.error("spool.damaged_file_unreadable", file=path.name, reason=error.strerror)
    return found


class Ruin:
    """What can be read from one damaged file. The bytes of a record are looked at when it is asked for.

    ``rows`` is how many wait, by what the records say of themselves before they are proved. ``spoilt``: something was
    lost with this file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place: Place | None = None
        self._found: dict[int, list[tuple[int, int, bool]]] = {}
        self._said: dict[int, tuple[int, int]] = {}
        self.rows = 0
        self.spoilt = False
        self._pages = Pages(path)
        self.bytes = self._pages.bytes
        self._look()
        self._waiting = sorted(self._found)
        self.forget(0)

    @property
    def oldest_written_at(self) -> int | None:
        """When the oldest that waits was written, in microseconds since 1970, by what it says."""
        return self._said[self._waiting[0]][1] if self._waiting else None

    def _look(self) -> None:
        for number, content, logged in self._pages.leaves():
            for rowid, place in cells(content):
                with suppress(Broken):
                    beginning = columns_of(content, place, self._pages, logged=logged, beginning=_BEGINNING)
                    match beginning:
                        case [None, bytes(), int(rows), int(), int(written_at)] if rowid > 0:
                            self._found.setdefault(rowid, []).append((number, place, logged))
                            self._said.setdefault(rowid, (rows, written_at))
                        case [None, bytes(packed)] if len(packed) == LENGTH:
                            self._learn(unpack(packed))

    def _learn(self, place: Place | None) -> None:
        # Of several images of the place the one that is farthest on is the newest.
        if place is not None and (
            self.place is None or (place.last, place.removed) > (self.place.last, self.place.removed)
        ):
            self.place = place

    def waiting(self) -> list[int]:
        """The sequences that were found and neither removed nor lost, in order."""
        return self._waiting

    def waiting_after(self, sequence: int) -> list[int]:
        """Those above ``sequence``."""
        return self._waiting[bisect_right(self._waiting, sequence) :]

    def next(self, after: int) -> int | None:
        """The first above ``after``, or None."""
        at = bisect_right(self._waiting, after)
        return self._waiting[at] if at < len(self._waiting) else None

    def proves(self, sequence: int) -> bool:
        """Whether that record is whole."""
        with suppress(Undecodable):
            return self.read(sequence) is not None
        return False

    def read(self, sequence: int) -> Record:
        """That record, proved. Raises :class:`Undecodable`."""
        for number, place, logged in self._found[sequence]:
            # What follows in other pages is the log's image of them, unless that is what is damaged.
            for linked in (True, False):
                with suppress(Broken, Undecodable):
                    content = self._pages.page(number, logged=logged)
                    values = columns_of(content, place, self._pages, logged=linked)
                    if len(values) == _COLUMNS:
                        record = Record(sequence, *values[1:])
                        record.prove()
                        return record
        raise Undecodable("what is left of it in a damaged file is not whole")

    def drop(self, sequence: int) -> bool:
        """It is removed, or lost; False where it does not wait here."""
        at = bisect_right(self._waiting, sequence) - 1
        if at < 0 or self._waiting[at] != sequence:
            return False
        del self._waiting[at]
        self.rows -= self._said[sequence][0]
        return True

    def forget(self, through: int) -> None:
        """Everything up to there was removed before."""
        self._waiting = self._waiting[bisect_right(self._waiting, through) :]
        self.rows = sum(self._said[sequence][0] for sequence in self._waiting)

    def finish(self) -> None:
        """Nothing waits any more: keep the file where something was lost with it, else remove it."""
        self._pages.close()
        with suppress(OSError):
            if not self.spoilt:
                _remove(self.path)
                return
            kept = self.path.with_name(_DRAINED.format(self.path.name.split("-", 1)[1].split(".", 1)[0]))
            with suppress(FileNotFoundError):
                log_of(self.path).rename(log_of(kept))
            self.path.rename(kept)
            for older in sorted(self.path.parent.glob(_DRAINED.format("*")))[:-1]:
                _remove(older)

    def close(self) -> None:
        """Let go of the file; it is drained further another time."""
        self._pages.close()


def _remove(path: Path) -> None:
    log_of(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
