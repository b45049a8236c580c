"""What the spool does with its files. Plain, blocking, for one thread at a time; raises errors of the house only.

Damaged files come first when the queue is read: what is in them is older than what the new one holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import structlog
from msgspec.structs import replace

from ..errors import SpoolFull
from .connection import primary_code
from .encoding import Undecodable
from .file import pages_for
from .opening import open_files
from .pages import PAGE
from .place import Witness
from .record import Fresh, Record
from .room import Room
from .ruin import Ruin
from .statistics import Snapshot
from .translation import is_full, translated

log = structlog.get_logger("spool")

Answer = TypeVar("Answer")
# A single bit in its header makes a file read-only, and one that somebody moved away is so as well.
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY})


class Store:
    """The open spool. ``snapshot`` is how it was after the last call."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Raises :class:`SpoolUnavailable`, or :class:`SpoolFull` where the disk has no room for an empty one."""
        self._folder = folder
        self._refusing = False
        with translated():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            self._room = Room(folder, max_bytes)
            self._witness = Witness(folder)
            self._is_open = False
            self._open()

    def append(self, batches: Sequence[Fresh]) -> tuple[int, str]:
        """Store as many of them as there is room for, in their order; returns how many, and why not the rest."""
        taken, refusal = self._do(lambda: self._fitting(batches))
        if taken:
            try:
                self._do(lambda: self._file.append(batches[:taken]))
            except SpoolFull as error:
                self._room.disk_full = True
                taken, refusal = 0, str(error)
        self._refusing = taken < len(batches)
        self._see()
        return taken, refusal

    def next(self, after: int) -> Record | None:
        """The oldest record with a sequence above ``after``; not proved yet."""
        return self._do(lambda: self._next(after))

    def remove(self, sequences: Sequence[int]) -> None:
        """Those records are committed elsewhere. Removing what is not there changes nothing."""
        self._do(lambda: self._remove(sequences), ballast=True)
        self._refusing = False
        self._see()

    def set_aside(self, sequence: int, reason: str, *, whole: bool) -> None:
        """That record cannot be read; ``whole``: by this version of the service, but it is as it was written."""
        log.error("spool.batch_damaged", sequence=sequence, reason=reason)
        self._do(lambda: self._set_aside(sequence, reason, whole=whole), ballast=True)
        self._see()

    def has_room(self, size: int) -> bool:
        """Whether a batch of ``size`` bytes would be taken now."""
        room = self._do(lambda: self._refusal(pages_for(size), self._file.pages_in_use()) is None)
        self._see()
        return room

    def close(self) -> None:
        """Let go of the files."""
        self._close_files()
        self._witness.close()

    def _close_files(self) -> None:
        self._is_open = False
        with suppress(sqlite3.Error):
            self._file.close()
        for ruin in self._ruins:
            ruin.close()

    def _open(self, *, damage: str | None = None) -> None:
        log_bytes, told = self._room.log_bytes, self._witness.read()
        try:
            self._file, self._ruins = open_files(self._folder, log_bytes, told, damage=damage)
        except (sqlite3.Error, OSError) as error:
            if not is_full(error):
                raise
            # There may be room for a new file in the ballast's place.
            self._room.ballast.drop()
            self._file, self._ruins = open_files(self._folder, log_bytes, told)
        self._room.look(self._ruin_bytes())
        self._finish()
        self._file.hold_below(self._room.pages)
        self._is_open = True
        self._see()

    def _do(self, action: Callable[[], Answer], *, ballast: bool = False) -> Answer:
        """``action``, again after a damaged file was set aside, or after the ballast made room for it."""
        with translated():
            if not self._is_open:
                self._open()
            try:
                return action()
            except sqlite3.DatabaseError as error:
                if primary_code(error) in _DAMAGE:
                    self._close_files()
                    self._open(damage=str(error))
                elif is_full(error) and ballast:
                    log.warning("spool.ballast_dropped")
                    self._room.ballast.drop()
                    self._file.hold_below(self._room.pages)
                else:
                    raise
            return action()

    def _fitting(self, batches: Sequence[Fresh]) -> tuple[int, str]:
        used = self._file.pages_in_use()
        for taken, batch in enumerate(batches):
            pages = pages_for(len(batch.blob) + len(batch.connectors))
            # None overtakes another: they are to come out in the order they came in.
            if (refusal := self._refusal(pages, used)) is not None:
                return taken, refusal
            used += pages
        return len(batches), ""

    def _refusal(self, pages: int, used: int) -> str | None:
        self._look()
        refusal = self._room.refusal(pages, used)
        if refusal is not None and self._look(full=True):
            refusal = self._room.refusal(pages, used)
        return refusal

    def _look(self, *, full: bool = False) -> bool:
        looked = self._room.look(self._ruin_bytes(), full=full)
        if looked:
            self._file.hold_below(self._room.pages)
        return looked

    def _next(self, after: int) -> Record | None:
        while True:
            found = [(sequence, ruin) for ruin in self._ruins if (sequence := ruin.next(after)) is not None]
            if not found:
                return self._file.next(after)
            sequence, ruin = min(found, key=lambda pair: pair[0])
            try:
                return ruin.read(sequence)
            except Undecodable as error:
                self.set_aside(sequence, str(error), whole=False)

    def _remove(self, sequences: Sequence[int]) -> None:
        dropped = {sequence for sequence in sequences if self._drop(sequence)}
        if dropped:
            self._file.mark(replace(self._file.place, removed=self._removed()))
            self._finish()
        if kept := [sequence for sequence in sequences if sequence not in dropped]:
            self._file.remove(kept, older=self._oldest_ruined())
            self._file.shrink()

    def _set_aside(self, sequence: int, reason: str, *, whole: bool) -> None:
        ruin = self._drop(sequence)
        if ruin is None:
            self._file.set_aside(sequence, reason, older=self._oldest_ruined(), whole=whole)
            return
        ruin.spoilt = True
        place = self._file.place
        self._file.mark(replace(place, removed=self._removed(), damaged=place.damaged + 1))
        self._finish()

    def _drop(self, sequence: int) -> Ruin | None:
        return next((ruin for ruin in self._ruins if ruin.drop(sequence)), None)

    def _removed(self) -> int:
        """The sequence up to which none waits, after something was dropped from a damaged file."""
        oldest = self._oldest_ruined()
        if oldest is None and (record := self._file.next(0)) is not None:
            oldest = record.sequence
        return self._file.place.last if oldest is None else oldest - 1

    def _oldest_ruined(self) -> int | None:
        return min((first for ruin in self._ruins if (first := ruin.next(0)) is not None), default=None)

    def _ruin_bytes(self) -> int:
        return sum(ruin.bytes for ruin in self._ruins)

    def _finish(self) -> None:
        """Be done with the damaged files that nothing waits in."""
        for ruin in [ruin for ruin in self._ruins if ruin.next(0) is None]:
            self._ruins.remove(ruin)
            ruin.finish()
        self._room.count(self._ruin_bytes())

    def _see(self) -> None:
        with translated():
            place = self._file.place
            self._witness.tell(place)
            used = self._file.pages_in_use()
            times = [ruin.oldest_written_at for ruin in self._ruins]
            with suppress(sqlite3.DatabaseError):  # damage is dealt with when the record is read
                times.append(self._file.oldest_written_at())
            self.snapshot = Snapshot(
                batches=place.batches + sum(len(ruin.waiting()) for ruin in self._ruins),
                rows=place.rows + sum(ruin.rows for ruin in self._ruins),
                bytes=used * PAGE + self._ruin_bytes(),
                max_bytes=self._room.pages * PAGE + self._ruin_bytes(),
                oldest_written_at=times[0] if times else None,
                damaged=place.damaged,
                full=self._refusing or self._room.refusal(1, used) is not None,
            )
