"""Before the first slice of a table: how many rows it has, and the partitions for all of their times."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from ..partitions import WIDTHS, PartitionBook, attach
from .catalogue import Table
from .history import cut_history, shares
from .statements import time_of
from .targets import Target

# A clock that ran ahead, or in a zone of its own, is believed for so long.
AHEAD = timedelta(days=1)


async def prepare_history(connection: AsyncConnection[Any], target: Target, original: Table, began: datetime) -> int:
    """Make the partitions that the rows of ``original`` need, inside the caller's transaction; how many rows it has."""
    if not target.partitioned:
        cursor = await connection.execute(SQL("SELECT count(*), NULL FROM {}").format(Identifier(original.name)))
    else:
        cursor = await connection.execute(
            SQL(
                "SELECT count(*), percentile_disc(%(shares)s::float8[]) WITHIN GROUP (ORDER BY timed.at)"
                " FROM (SELECT {} AS at FROM {} AS s) AS timed"
            ).format(time_of(target, original), Identifier(original.name)),
            {"shares": shares(), "latest": began + AHEAD},
        )
    row = await cursor.fetchone()
    assert row is not None
    count, quantiles = row
    if target.partitioned:
        bounds = cut_history([at for at in quantiles or () if at is not None], began)
        for start, end in pairwise(bounds):
            await attach(connection, target.table, start, end)
    return int(count)


async def partition_starts(connection: AsyncConnection[Any], table: str) -> list[datetime]:
    """Where the partitions of ``table`` begin, rising."""
    book = PartitionBook(WIDTHS[-1])
    await book.refresh(connection)
    return [span.start for span in book.spans(table)]
