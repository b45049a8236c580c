"""The rows of the spool. Plain, blocking, for one thread at a time; its errors are SQLite's.

Nothing is vacuumed while there are rows: pages of removed ones are used again, and when the last row goes, a file that
has grown is made small, which costs nothing then.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Timer

from msgspec.structs import astuple, replace

from .connection import primary_code, transaction
from .pages import PAGE
from .place import Place
from .record import Fresh, Record

_SLACK_PAGES = 64
_SHRINK_PAGES = 1024
# Of what is damaged the newest are kept, and of each the beginning, for whoever wants to know what happened to them.
_DAMAGED_KEPT, _DAMAGED_BYTES, _WHOLE = 20, 1_048_576, 1_000_000_000


def pages_for(blob_bytes: int) -> int:
    """How many pages one more record takes, at most."""
    return blob_bytes // (PAGE - 4) + 4


class SpoolFile:
    """The rows. ``place`` is what the last commit left."""

    def __init__(self, connection: sqlite3.Connection, place: Place) -> None:
        self._connection = connection
        self.place = place

    def check(self, schema: Sequence[str], seconds: float) -> None:
        """Raises a ``sqlite3.DatabaseError`` where the tree or the tables are not what they should be.

        What it does not get to in ``seconds`` is found when it is read.
        """
        tables = {row[0] for row in self._connection.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL")}
        if tables != {table.encode() for table in schema}:
            raise sqlite3.DatabaseError("its tables are not those of a spool")
        timer = Timer(seconds, self._connection.interrupt)
        timer.start()
        try:
            (found,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_INTERRUPT:
                raise
        else:
            if found != b"ok":
                raise sqlite3.DatabaseError(found.decode(errors="replace"))
        finally:
            timer.cancel()
            # Not in the middle of what comes next.
            timer.join()

    def frames_read(self) -> int:
        """How many frames of its log SQLite found to be whole; they go into the file."""
        _, frames, _ = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return int(frames)

    def append(self, batches: Sequence[Fresh]) -> None:
        """All or none of them, fsynced."""
        now = time.time_ns() // 1000
        place = self.place
        records = [one.placed(place.last + number, now) for number, one in enumerate(batches, 1)]
        place = replace(
            place,
            last=place.last + len(records),
            batches=place.batches + len(records),
            rows=place.rows + sum(record.rows for record in records),
        )
        with self._commit(place):
            self._connection.executemany(
                "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (astuple(record) for record in records)
            )

    def next(self, after: int) -> Record | None:
        """The oldest record with a sequence above ``after``."""
        query = "SELECT * FROM batches WHERE sequence > ? ORDER BY sequence LIMIT 1"
        row = self._connection.execute(query, (after,)).fetchone()
        return None if row is None else Record(*row)

    def oldest_written_at(self) -> int | None:
        """When the oldest record was written, in microseconds since 1970."""
        row = self._connection.execute("SELECT written_at FROM batches ORDER BY sequence LIMIT 1").fetchone()
        return row[0] if row is not None and isinstance(row[0], int) else None

    def remove(self, sequences: Sequence[int], *, older: int | None) -> None:
        """Those records are not needed any more. ``older`` is the oldest that waits elsewhere."""
        query = "SELECT rows FROM batches WHERE sequence = ?"
        rows = {one: row[0] for one in sequences if (row := self._connection.execute(query, (one,)).fetchone())}
        if rows:
            with self._commit(self._without(rows, older)):
                self._connection.executemany("DELETE FROM batches WHERE sequence = ?", ((one,) for one in rows))

    def set_aside(self, sequence: int, reason: str, *, older: int | None, whole: bool) -> None:
        """That record cannot be read: keep it where it is in nobody's way. ``whole``: with all of its bytes."""
        query = "SELECT rows, batch_id, substr(blob, 1, ?) FROM batches WHERE sequence = ?"
        row = self._connection.execute(query, (_WHOLE if whole else _DAMAGED_BYTES, sequence)).fetchone()
        if row is None:
            return
        rows, batch_id, blob = row
        place = self._without({sequence: rows}, older)
        with self._commit(replace(place, damaged=place.damaged + 1)):
            # In this order, so that it finds its place in the pages that it leaves, however full the queue is.
            self._connection.execute("DELETE FROM batches WHERE sequence = ?", (sequence,))
            self._connection.execute(
                "INSERT OR REPLACE INTO damaged VALUES (?, ?, ?, ?, ?)", (sequence, batch_id, reason, whole, blob)
            )
            self._connection.execute(
                "DELETE FROM damaged WHERE NOT whole AND sequence NOT IN"
                " (SELECT sequence FROM damaged WHERE NOT whole ORDER BY sequence DESC LIMIT ?)",
                (_DAMAGED_KEPT,),
            )

    def catch_up(self, told: Place, lost: int) -> None:
        """Be as far as ``told`` says we were, without the ``lost`` batches that were there then."""
        removed, last = max(self.place.removed, told.removed), max(self.place.last, told.last)
        query = "SELECT count(*), coalesce(sum(rows), 0) FROM batches WHERE sequence > ?"
        batches, rows = self._connection.execute(query, (removed,)).fetchone()
        damaged = max(self.place.damaged, told.damaged) + lost
        with self._commit(Place(removed=removed, last=last, batches=batches, rows=rows, damaged=damaged)):
            self._connection.execute("DELETE FROM batches WHERE sequence <= ?", (removed,))

    def mark(self, place: Place) -> None:
        """Commit ``place``; the rows stay as they are."""
        with self._commit(place):
            pass

    def pages_in_use(self) -> int:
        """Pages of the file that hold something."""
        return self._number("page_count") - self._number("freelist_count")

    def hold_below(self, pages: int) -> None:
        """Let SQLite itself refuse what would make the file longer, but for what removing may need."""
        most = max(pages, self._number("page_count")) + _SLACK_PAGES
        self._connection.execute(f"PRAGMA max_page_count = {most}")

    def shrink(self) -> None:
        """Give the disk back what an empty queue does not need."""
        if not self.place.batches and self._number("page_count") > _SHRINK_PAGES:
            self._connection.execute("VACUUM")
            self.empty_log()

    def empty_log(self) -> None:
        """Bring what the log holds into the file, and the log to nothing."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """What the log holds goes into the file, and the log away."""
        self._connection.close()

    def _without(self, rows: Mapping[int, object], older: int | None) -> Place:
        """The place without these records; of each, how many rows it says it has."""
        query = "SELECT sequence FROM batches ORDER BY sequence LIMIT ?"
        first = self._connection.execute(query, (len(rows) + 1,)).fetchall()
        kept = [sequence for (sequence,) in first if sequence not in rows] + ([] if older is None else [older])
        batches = max(0, self.place.batches - len(rows))
        counted = sum(many for many in rows.values() if isinstance(many, int))
        return replace(
            self.place,
            removed=min(kept) - 1 if kept else self.place.last,
            batches=batches,
            rows=max(0, self.place.rows - counted) if batches else 0,
        )

    def _number(self, pragma: str) -> int:
        return int(self._connection.execute(f"PRAGMA {pragma}").fetchone()[0])

    @contextmanager
    def _commit(self, place: Place) -> Iterator[None]:
        with transaction(self._connection):
            yield
            self._connection.execute("UPDATE place SET packed = ? WHERE id = 1", (place.pack(),))
        self.place = place
