"""Which items of an extraction PostgreSQL refuses: found by copying them on trial, without storing anything.

COPY takes all of its rows or none, and mostly tells the line of the first one that it does not take: the others are
tried without it. Where it tells no line, halves are tried. Both within a budget.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
from msgspec.structs import replace
from psycopg import AsyncConnection

from .rows import Stored, copy_items
from .translation import refusal_reason

_LINE = re.compile(r"^COPY \w+, line ([0-9]+)", re.MULTILINE)


class _Refusal(NamedTuple):
    """Why, and which row of those that were tried, from 0; None when nobody tells."""

    reason: str
    row: int | None


async def find_refused(connection: AsyncConnection[Any], one: Stored, *, copies: int) -> dict[int, str] | None:
    """The places of the items that cannot be stored, each with the reason; None when ``copies`` were not enough.

    ``connection`` is in autocommit mode, and the partitions that are needed exist.
    """
    refused: dict[int, str] = {}
    groups: list[Sequence[int]] = [range(len(one.item_ids))]
    await connection.execute("BEGIN")
    try:
        while groups:
            if copies == 0:
                return None
            copies -= 1
            group = groups.pop()
            refusal = await _tried(connection, one, group)
            if refusal is None:
                continue
            row = 0 if len(group) == 1 else refusal.row
            if row is None:
                middle = len(group) // 2
                groups += [group[middle:], group[:middle]]
                continue
            refused[group[row]] = refusal.reason
            rest = [*group[:row], *group[row + 1 :]]
            if rest:
                groups.append(rest)
    finally:
        await connection.execute("ROLLBACK")
    return refused


async def _tried(connection: AsyncConnection[Any], one: Stored, group: Sequence[int]) -> _Refusal | None:
    await connection.execute("SAVEPOINT trial")
    part = one.part
    some = Stored(
        part=replace(part, items=tuple(part.items[place] for place in group)),
        row_id=one.row_id,
        item_ids=[one.item_ids[place] for place in group],
    )
    try:
        await copy_items(connection, [some])
    except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
        await connection.execute("ROLLBACK TO trial")
        told = _LINE.search(error.diag.context or "")
        row = int(told[1]) - 1 if told else None
        return _Refusal(refusal_reason(error), row if row is not None and row < len(group) else None)
    await connection.execute("ROLLBACK TO trial")
    return None
