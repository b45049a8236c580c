"""What the database says about its tables: kinds, columns, types, and the keys by which rows can be walked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from psycopg import AsyncConnection

SET_ASIDE = "_v0"
MADE_KEY = "takeover_id"  # added to a table of the original whose own ids cannot be walked
_NAME_BYTES = 63

# Types of PostgreSQL by what they are read as; a type that is not here is read as its text.
_FAMILIES = {
    "int2": "integer",
    "int4": "integer",
    "int8": "integer",
    "numeric": "numeric",
    "float4": "float",
    "float8": "float",
    "json": "json",
    "jsonb": "jsonb",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "date": "date",
}


class Table(Struct, frozen=True, kw_only=True):
    """A relation of the current schema. ``columns``: name → family of its type, ``types``: name → its type;
    ``keys``: columns that are unique and never null."""

    name: str
    plain: bool
    columns: Mapping[str, str]
    types: Mapping[str, str]
    keys: frozenset[str]

    @property
    def key(self) -> str | None:
        """The integer column by which its rows can be walked."""
        for name in (MADE_KEY, "id"):
            if name in self.keys and self.columns[name] == "integer":
                return name
        return None


def set_aside_name(name: str) -> str:
    """``name`` with ``_v0`` behind it, cut so that PostgreSQL takes it as it is."""
    kept = name.encode()[: _NAME_BYTES - len(SET_ASIDE)].decode(errors="ignore")
    return kept + SET_ASIDE


async def read_tables(connection: AsyncConnection[Any], names: Iterable[str]) -> dict[str, Table]:
    """Those of ``names`` that are relations of the schema in which ours are made; nobody else's schema counts."""
    cursor = await connection.execute(
        "SELECT c.relname, c.relkind = 'r', a.attname, coalesce(base.typname, t.typname), a.attnotnull AND EXISTS ("
        "  SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL"
        "  AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)"
        " FROM pg_class AS c"
        " LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " LEFT JOIN pg_type AS t ON t.oid = a.atttypid LEFT JOIN pg_type AS base ON base.oid = t.typbasetype"
        " WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY(%s)"
        " ORDER BY c.relname, a.attnum",
        (list(names),),
    )
    types: dict[str, dict[str, str]] = {}
    keys: dict[str, set[str]] = {}
    plain: dict[str, bool] = {}
    for name, is_plain, column, type_name, is_key in await cursor.fetchall():
        plain[name] = is_plain
        columns = types.setdefault(name, {})
        if column is not None:
            columns[column] = type_name
        if is_key:
            keys.setdefault(name, set()).add(column)
    return {
        name: Table(
            name=name,
            plain=plain[name],
            columns={column: _FAMILIES.get(kind, "text") for column, kind in columns.items()},
            types=columns,
            keys=frozenset(keys.get(name, ())),
        )
        for name, columns in types.items()
    }
