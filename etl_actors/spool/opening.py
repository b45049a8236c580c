"""Opening the spool, whatever became of its files.

A file is believed when SQLite finds its tree sound (as far as it gets in the time it has: each record is proved again
when it is read), its place is whole, and its log is read to the last commit that is in it. Else it is set aside and a
new one made, and what is missing between the last place that is known and what can still be found counts as lost.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import structlog

from .connection import NAME, SCHEMA, create, opened, primary_code, sync_folder
from .file import SpoolFile
from .pages import Log, log_of
from .place import Place, unpack
from .ruin import Ruin, ruins, set_aside

log = structlog.get_logger("spool")

CHECK_SECONDS = 1.0
# What is wrong with the disk, the folder or whoever else has the file open, and not with the file.
_SURROUNDINGS = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_NOMEM}
)


class Damaged(Exception):
    """The file cannot be trusted."""


def open_files(
    folder: Path, log_bytes: int, told: Place | None, *, damage: str | None = None
) -> tuple[SpoolFile, list[Ruin]]:
    """The file to append to, and what is left of damaged ones; ``told`` is what the witness says.

    ``damage`` is what was found to be wrong with the file while it was open.

    Raises SQLite's errors and the system's where it is not the file that is wrong.
    """
    path = folder / NAME
    if path.exists() or log_of(path).exists():
        try:
            if damage is not None:
                raise Damaged(damage)
            file = _examined(path, log_bytes, told)
        except Damaged as error:
            name = set_aside(path)
            sync_folder(folder)
            log.error("spool.file_damaged", reason=str(error), kept_as=name.name)
        else:
            left = ruins(folder)
            for ruin in left:
                ruin.forget(file.place.removed)
                ruin.spoilt = True  # as far as we know by now
            return file, left
    left = ruins(folder)
    create(folder, _place_after(left, told))
    return _opened(path, log_bytes), left


def _opened(path: Path, log_bytes: int) -> SpoolFile:
    connection = opened(path, log_bytes)
    try:
        packed = connection.execute("SELECT packed FROM place WHERE id = 1").fetchone()
        place = unpack(packed[0]) if packed is not None and isinstance(packed[0], bytes) else None
        if place is None:
            raise Damaged("it does not say where the queue is")
        return SpoolFile(connection, place)
    except BaseException:
        connection.close()
        raise


def _examined(path: Path, log_bytes: int, told: Place | None) -> SpoolFile:
    commits = Log(log_of(path)).commits
    if not path.exists():
        raise Damaged("its log is there without it")
    try:
        file = _opened(path, log_bytes)
    except sqlite3.Error as error:
        if primary_code(error) in _SURROUNDINGS:
            raise
        raise Damaged(str(error)) from error
    try:
        file.check(SCHEMA, CHECK_SECONDS)
        _compare(file, commits, told)
    except sqlite3.Error as error:
        file.close()
        if primary_code(error) in _SURROUNDINGS:
            raise
        raise Damaged(str(error)) from error
    except BaseException:
        file.close()
        raise
    return file


def _compare(file: SpoolFile, commits: list[int], told: Place | None) -> None:
    """See whether anything that was committed is missing at the end."""
    unread = [frame for frame in commits if frame > file.frames_read()]
    ahead = told is not None and told.last > file.place.last
    # One alone at the very end may be what a power cut or a kill left of a commit that nobody was told of.
    if len(unread) > 1 or (unread and (ahead or told is None)):
        raise Damaged("the end of its log cannot be read")
    if told is None or (not ahead and told.removed <= file.place.removed):
        return
    # What was removed is not to come back, and what was acknowledged since is lost.
    lost = max(0, told.last - max(file.place.last, told.removed))
    file.catch_up(told, lost)
    log.error("spool.batches_lost", lost=lost, reason="the end of the log is gone")


def _place_after(left: list[Ruin], told: Place | None) -> Place:
    """Where the queue is, as far as it is known, with what is missing counted as lost."""
    known = [place for place in (told, *(ruin.place for ruin in left)) if place is not None]
    if not known and not left:
        return Place()
    if known:
        removed, last = max(place.removed for place in known), max(place.last for place in known)
    else:
        proved = [sequence for ruin in left for sequence in ruin.waiting() if ruin.proves(sequence)]
        removed, last = (min(proved) - 1, max(proved)) if proved else (0, 0)
    waiting = 0
    for ruin in left:
        ruin.forget(removed)
        # A commit may be one ahead of what was told of it; a number that no record proves is none.
        for sequence in ruin.waiting_after(last):
            if ruin.proves(sequence):
                last = max(last, sequence)
            else:
                ruin.drop(sequence)
        waiting += len(ruin.waiting())
    lost = max(0, last - removed - waiting)
    if lost:
        log.error("spool.batches_lost", lost=lost, found=waiting, reason="a file is damaged")
        for ruin in left:
            ruin.spoilt = True
    return Place(removed=removed, last=last, damaged=max((place.damaged for place in known), default=0) + lost)
