"""How rejected payloads go: because they are dropped, or because what they could be mapped to is stored in their place.

The row counts go with them in the same transaction, so that totals stay exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable

from ..errors import ReplaysLost
from ..messages import Transformed
from ..paging import Page
from .queries import where
from .translation import translated

Gone = Mapping[tuple[datetime, str], int]
"""How many went, by the start of their partition and their connector."""

# A partition is counted under its start: of those that begin before a row, it lies in the one that begins last.
_START = SQL(
    "(SELECT max(c.partition_start) FROM row_counts AS c WHERE c.table_name = 'rejected'"
    " AND c.connector_id = g.connector_id AND c.partition_start <= g.timestamp)"
)
_DROP = SQL(
    "WITH doomed AS ({doomed}), gone AS ("
    "DELETE FROM rejected AS r USING doomed AS d WHERE r.timestamp = d.timestamp AND r.id = d.id"
    " RETURNING r.connector_id, r.timestamp), counted AS ("
    "SELECT g.connector_id, {start} AS partition_start, count(*) AS rows FROM gone AS g GROUP BY 1, 2"
    "), kept AS (UPDATE row_counts AS c SET rows = c.rows - o.rows FROM counted AS o WHERE c.table_name = 'rejected'"
    " AND c.connector_id = o.connector_id AND c.partition_start = o.partition_start)"
    " SELECT count(*) FROM gone"
)


async def take_replayed(connection: AsyncConnection[Any], parts: Sequence[Transformed]) -> Gone:
    """Delete the rejected payloads that ``parts`` are made of, inside the transaction of the caller.

    Raises :class:`ReplaysLost` for parts whose payload is gone already, or taken by a part before.
    """
    keys = [part.replays for part in parts if part.replays is not None]
    if not keys:
        return {}
    times = [at for at, _ in keys]
    cursor = await connection.execute(
        SQL(
            "WITH gone AS (DELETE FROM rejected AS r USING unnest(%(times)s::timestamptz[], %(ids)s::bigint[])"
            " AS k (timestamp, id) WHERE r.timestamp = k.timestamp AND r.id = k.id"
            " AND r.timestamp BETWEEN %(first)s AND %(last)s RETURNING r.id, r.connector_id, r.timestamp)"
            " SELECT g.id, g.connector_id, {} FROM gone AS g"
        ).format(_START),
        {"times": times, "ids": [row_id for _, row_id in keys], "first": min(times), "last": max(times)},
    )
    found = {row_id: (connector_id, start) for row_id, connector_id, start in await cursor.fetchall()}
    left = set(found)
    lost = []
    for part in parts:
        if part.replays is None or part.replays[1] not in left:
            lost.append(part.extraction_id)
        else:
            left.remove(part.replays[1])
    if lost:
        raise ReplaysLost(frozenset(lost))
    return Counter((start, connector_id) for connector_id, start in found.values() if start is not None)


async def drop_one(connection: AsyncConnection[Any], rejected_id: int) -> bool:
    """Delete one; False when there is none."""
    return await _drop(connection, SQL("SELECT timestamp, id FROM rejected WHERE id = %(id)s"), {"id": rejected_id}) > 0


async def drop_some(connection: AsyncConnection[Any], page: Page) -> int:
    """Delete the oldest that match, as many as the page may hold; how many there were."""
    condition, values = where(page, keyset=False)
    doomed = SQL("SELECT i.timestamp, i.id FROM rejected AS i{} ORDER BY 1, 2 LIMIT %(limit)s").format(condition)
    return await _drop(connection, doomed, values | {"limit": page.limit})


async def _drop(connection: AsyncConnection[Any], doomed: Composable, values: Mapping[str, Any]) -> int:
    with translated():
        cursor = await connection.execute(_DROP.format(doomed=doomed, start=_START), values)
        row = await cursor.fetchone()
    return int(row[0]) if row else 0
