"""How a value of the original's type becomes one of ours, as SQL. What cannot be read becomes null, never an error.

Times without a zone are UTC. Numbers never pass through a float of ours: what PostgreSQL kept is taken by its shortest
exact text. Texts are read by functions that live as long as the session (``pg_temp``), since not every server that is
supported can ask whether a text is valid.
"""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable, Composed

from .targets import Kind

TYPES: dict[Kind, SQL] = {
    "text": SQL("text"),
    "json": SQL("jsonb"),
    "int32": SQL("integer"),
    "int64": SQL("bigint"),
    "numeric": SQL("numeric"),
    "moment": SQL("timestamptz"),
}

_READERS = (
    """CREATE OR REPLACE FUNCTION pg_temp.read_json(value text) RETURNS jsonb LANGUAGE plpgsql STRICT AS $$
    BEGIN RETURN value::jsonb;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN RETURN to_jsonb(value); END $$""",
    """CREATE OR REPLACE FUNCTION pg_temp.read_number(value text) RETURNS numeric LANGUAGE plpgsql STRICT AS $$
    BEGIN RETURN value::numeric;
    EXCEPTION WHEN data_exception THEN RETURN NULL; END $$""",
    """CREATE OR REPLACE FUNCTION pg_temp.read_moment(value text) RETURNS timestamptz LANGUAGE plpgsql STRICT AS $$
    BEGIN RETURN value::timestamptz;
    EXCEPTION WHEN data_exception THEN RETURN NULL; END $$""",
)

_INTEGER_RANGE: dict[Kind, SQL] = {
    "int32": SQL("-2147483648 AND 2147483647"),
    "int64": SQL("-9223372036854775808 AND 9223372036854775807"),
}
# From here on seconds since 1970 would be the year 5138: these are milliseconds.
_MILLISECONDS = SQL("100000000000")
_EARLIEST, _LATEST = SQL("'1970-01-01 00:00:00+00'"), SQL("%(latest)s")


async def make_readers(connection: AsyncConnection[Any]) -> None:
    """Make the functions that the conversions below use, for this session."""
    await connection.execute("SET timezone = 'UTC'")
    for reader in _READERS:
        await connection.execute(reader.encode())


def converted(kind: Kind, column: Composable, family: str) -> Composable:
    """SQL for ``column``, whose type belongs to ``family``, as ``kind``; null where it cannot be read.

    A moment also has to lie between 1970 and the parameter ``latest``.
    """
    if kind == "text":
        return SQL("nullif({}, '')").format(_text(column))
    if kind == "json":
        return _json(column, family)
    if kind == "moment":
        return SQL("(SELECT m.at FROM (SELECT {} AS at) AS m WHERE m.at >= {} AND m.at < {})").format(
            _moment(column, family), _EARLIEST, _LATEST
        )
    number = _number(column, family)
    if kind == "numeric":
        return number
    return SQL("(SELECT CASE WHEN n.x BETWEEN {} THEN round(n.x)::{} END FROM (SELECT {} AS x) AS n)").format(
        _INTEGER_RANGE[kind], TYPES[kind], number
    )


def _text(column: Composable) -> Composed:
    return SQL("{}::text").format(column)


def _json(column: Composable, family: str) -> Composable:
    if family == "jsonb":
        return column
    if family in ("json", "text"):
        return SQL("pg_temp.read_json({})").format(_text(column))
    return SQL("to_jsonb({})").format(column)


def _number(column: Composable, family: str) -> Composable:
    """Never NaN or infinite: JSON has neither."""
    if family == "integer":
        return SQL("{}::numeric").format(column)
    if family not in ("numeric", "float", "text"):
        return SQL("NULL::numeric")
    read = SQL("pg_temp.read_number({})").format(_text(column)) if family == "text" else _text(column)
    return SQL("nullif(nullif(nullif({}::numeric, 'NaN'), 'Infinity'), '-Infinity')").format(read)


def _moment(column: Composable, family: str) -> Composable:
    if family == "timestamptz":
        return column
    if family == "timestamp":
        return SQL("{} AT TIME ZONE 'UTC'").format(column)
    if family == "date":
        return SQL(
            "CASE WHEN {0} BETWEEN '1970-01-01' AND '9999-12-31' THEN {0}::timestamp AT TIME ZONE 'UTC' END"
        ).format(column)
    if family in ("integer", "numeric", "float"):
        return _since_1970(column, family)
    if family == "text":
        return SQL("coalesce(pg_temp.read_moment({}), {})").format(_text(column), _since_1970(column, family))
    return SQL("NULL::timestamptz")


def _since_1970(column: Composable, family: str) -> Composed:
    return SQL(
        "(SELECT to_timestamp((CASE WHEN n.x < {0} THEN n.x ELSE n.x / 1000 END)::float8)"
        " FROM (SELECT {1} AS x) AS n WHERE n.x BETWEEN 0 AND {0} * 1000)"
    ).format(_MILLISECONDS, _number(column, family))
