"""Rejected payloads, as REST asks for them: by page, whole, and slice by slice for whoever maps them again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any

import trio
from msgspec import Struct

from ..messages import StoredRejected
from ..paging import Key, Page, Total
from .partitions import PartitionBook
from .pool import Pool
from .queries import REJECTED_COLUMNS, select_rejected, select_rejected_whole
from .reader import SLICE_ROWS, fetch, total_of
from .rejected_removal import drop_one, drop_some
from .translation import translated

MAX_ID = 2**63 - 1
RAW_BYTES = 1_048_576

# Where a replay stores. What was received before the oldest partition of one of these went with retention, and would
# be the only row of its time.
_STORED_TO = ("api_connector_data", "api_connector_items")


class RejectedPage(Struct, frozen=True):
    """Rejected payloads without their bytes, how many there are in all, and the keyset of the next page."""

    rejected: list[StoredRejected]
    total: Total
    next_key: Key | None = None


class RejectedBook:
    """Reads them from ``readers``, deletes them through ``changes``. Every call may raise StorageUnavailable."""

    def __init__(self, readers: Pool, changes: Pool, partitions: PartitionBook) -> None:
        self._readers = readers
        self._changes = changes
        self._partitions = partitions

    async def page(self, page: Page) -> RejectedPage:
        """One page of them."""
        async with self._readers.connection() as connection:
            rows = await fetch(connection, select_rejected(page))
            total = await total_of(connection, page, "rejected")
        found: list[StoredRejected] = []
        for start in range(0, min(len(rows), page.limit), SLICE_ROWS):
            found.extend(map(_stored, rows[start : min(start + SLICE_ROWS, page.limit)]))
            await trio.lowlevel.checkpoint()
        return RejectedPage(found, total, found[-1].key if len(rows) > page.limit else None)

    async def one(self, rejected_id: int) -> StoredRejected | None:
        """One of them, without its bytes."""
        if not 0 < rejected_id <= MAX_ID:
            return None
        async with self._readers.connection() as connection:
            with translated():
                cursor = await connection.execute(
                    f"SELECT {REJECTED_COLUMNS} FROM rejected AS i WHERE i.id = %s",  # noqa: S608  # a constant of ours
                    (rejected_id,),
                )
                row = await cursor.fetchone()
        return None if row is None else _stored(row)

    async def raw(self, one: StoredRejected, *, first: int = 0, size: int) -> bytes:
        """At most ``size`` of its bytes, from the byte ``first`` on; none when it is gone."""
        async with self._readers.connection() as connection:
            with translated():
                cursor = await connection.execute(
                    "SELECT substring(raw FROM %s FOR %s) FROM rejected WHERE timestamp = %s AND id = %s",
                    (first + 1, size, *one.key),
                    binary=True,
                )
                row = await cursor.fetchone()
        return bytes(row[0]) if row else b""

    async def raw_slices(self, one: StoredRejected) -> AsyncGenerator[bytes, None]:
        """All of its bytes, a piece at a time; nothing is held in between."""
        first = 0
        while piece := await self.raw(one, first=first, size=RAW_BYTES):
            yield piece
            first += len(piece)

    async def newest_id(self) -> int:
        """The highest id there is."""
        async with self._readers.connection() as connection:
            with translated():
                cursor = await connection.execute("SELECT coalesce(max(id), 0) FROM rejected")
                row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def whole(self, page: Page, *, newest_id: int, max_bytes: int) -> Sequence[tuple[StoredRejected, bytes]]:
        """The first of a page, oldest first, with their bytes: about ``max_bytes`` of them, but one at least; none with
        an id above ``newest_id``.
        """
        async with self._readers.connection() as connection:
            rows = await fetch(connection, select_rejected_whole(page, newest_id, max_bytes))
        return [(_stored(row[:-1]), bytes(row[-1])) for row in rows]

    async def drop(self, rejected_id: int) -> bool:
        """Delete one; False when there is none."""
        if not 0 < rejected_id <= MAX_ID:
            return False
        async with self._changes.connection() as connection:
            return await drop_one(connection, rejected_id)

    async def drop_some(self, page: Page) -> int:
        """Delete the oldest that match, as many as the page may hold; how many there were."""
        async with self._changes.connection() as connection:
            return await drop_some(connection, page)

    def is_past(self, received_at: datetime) -> bool:
        """Whether retention took what was stored at this time."""
        spans = (self._partitions.spans(table) for table in _STORED_TO)
        return any(known and received_at < known[0].start for known in spans)


def _stored(row: Sequence[Any]) -> StoredRejected:
    row_id, connector_id, at, reason, place, size, kind, position, elapsed, fingerprint = row
    return StoredRejected(
        id=row_id,
        connector_id=connector_id,
        received_at=at,
        reason=reason,
        where=place,
        size=size,
        kind=kind,
        position=position,
        response_time_ms=elapsed,
        fingerprint=None if fingerprint is None else bytes(fingerprint),
    )
