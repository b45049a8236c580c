"""Making and opening the spool file: which tables it has, and how SQLite is to treat it.

The write-ahead log with ``synchronous=FULL`` is fsynced at each commit. The file is locked for us alone, which also
does without SQLite's shared-memory file: that could not be made on a disk that is full.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from .pages import PAGE, log_of
from .place import Place

NAME = "spool.sqlite3"
SCHEMA = (
    "CREATE TABLE batches (sequence INTEGER PRIMARY KEY, batch_id BLOB NOT NULL, rows INTEGER NOT NULL,"
    " size INTEGER NOT NULL, written_at INTEGER NOT NULL, checksum BLOB NOT NULL, connectors BLOB NOT NULL,"
    " blob BLOB NOT NULL)",
    "CREATE TABLE place (id INTEGER PRIMARY KEY, packed BLOB NOT NULL)",
    # Without types: what is set aside here may be anything.
    "CREATE TABLE damaged (sequence INTEGER PRIMARY KEY, batch_id, reason, whole, blob)",
)
_HALF_MADE = "spool.new.sqlite3"


def create(folder: Path, place: Place) -> None:
    """An empty spool file. It gets its name when it is whole: a file of that name always has its tables."""
    half_made = folder / _HALF_MADE
    _remove(half_made)
    try:
        os.close(os.open(half_made, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(half_made, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA page_size = {PAGE}")
            _prepare(connection, log_bytes=PAGE)
            with transaction(connection):
                for table in SCHEMA:
                    connection.execute(table)
                connection.execute("INSERT INTO place VALUES (1, ?)", (place.pack(),))
        half_made.rename(folder / NAME)
        sync_folder(folder)
    except BaseException:
        with suppress(OSError):
            _remove(half_made)
        raise


def opened(path: Path, log_bytes: int) -> sqlite3.Connection:
    """A connection to an existing spool file; its log is emptied when it is longer than ``log_bytes``."""
    # Threads take turns: each call of the spool may run in another one, never two at a time.
    connection = sqlite3.connect(path, timeout=1, isolation_level=None, check_same_thread=False)
    connection.text_factory = bytes
    try:
        _prepare(connection, log_bytes)
    except BaseException:
        connection.close()
        raise
    return connection


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its details; 0 where the error is not SQLite's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """What is in it happens whole, and is on disk at its end, or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise


def sync_folder(folder: Path) -> None:
    """Make new names in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _prepare(connection: sqlite3.Connection, log_bytes: int) -> None:
    for pragma in (
        "locking_mode = EXCLUSIVE",
        "journal_mode = WAL",
        "synchronous = FULL",
        "fullfsync = ON",
        "checkpoint_fullfsync = ON",
        f"journal_size_limit = {log_bytes}",
        f"wal_autocheckpoint = {max(1, log_bytes // PAGE)}",
        "secure_delete = FAST",
        "cell_size_check = ON",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _remove(path: Path) -> None:
    log_of(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
