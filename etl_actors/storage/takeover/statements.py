"""One SQL statement that copies one slice of a table, with everything that has to stay exact beside it. Pure.

It is a chain of ``WITH``: ``source`` reads and converts the next rows by their key, ``taken`` fills what is missing,
``stored`` inserts; beside it counts, newest items, exchanges and unknown connectors are kept, all in the statement's
own transaction; the answer says how far it came. Nothing travels over the wire.
"""

from __future__ import annotations

from psycopg.sql import SQL, Composable, Composed, Identifier

from .catalogue import MADE_KEY, Table
from .conversions import TYPES, converted
from .targets import Target, Wanted

_STORED_WHERE = {
    # Ids that do not fit ours, and rows of files that are not there, stay behind.
    "api_connectors": "taken.key BETWEEN 1 AND 2147483647",
    "files": "taken.key BETWEEN 1 AND 2147483647",
    "file_data": "EXISTS (SELECT FROM files AS f WHERE f.id = taken.file_id)",
}

_COUNTED = """
counted AS (
    INSERT INTO row_counts AS c (table_name, partition_start, connector_id, rows)
    SELECT {name}, ({starts})[width_bucket(taken.timestamp, {starts})], coalesce(taken.connector_id, ''), count(*)
    FROM taken GROUP BY 2, 3
    ON CONFLICT (table_name, partition_start, connector_id) DO UPDATE SET rows = c.rows + excluded.rows
)"""

# A connector that stored rows but is not in the original's list is known all the same.
_KNOWN = """
known AS (
    INSERT INTO api_connectors AS c (connector_id, connector_name, source_id)
    SELECT DISTINCT ON (taken.connector_id) taken.connector_id, {name}, {source}
    FROM taken WHERE taken.connector_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM api_connectors AS k WHERE k.connector_id = taken.connector_id
        AND (k.connector_name IS NOT NULL OR {name} IS NULL)
    )
    ORDER BY taken.connector_id, taken.key DESC
    ON CONFLICT (connector_id) DO UPDATE SET connector_name = coalesce(c.connector_name, excluded.connector_name),
        source_id = coalesce(c.source_id, excluded.source_id)
)"""

# As in finish_batch of the migrations, and with the pairs of bookkeeping.py.
_NEWEST = """
paired AS (
    SELECT connector_id, timestamp, key, CASE WHEN coin_symbol IS NULL THEN coalesce(extra ->> 'pair', '')
        ELSE concat_ws(E'\\t', coin_symbol, coalesce(quote_symbol, ''), coalesce(coin_name, '')) END AS pair
    FROM taken
),
newest AS (
    INSERT INTO item_latest AS l (connector_id, pair, timestamp, item_id)
    SELECT DISTINCT ON (connector_id, pair) connector_id, pair, timestamp, key
    FROM paired ORDER BY connector_id, pair, timestamp DESC, key DESC
    ON CONFLICT (connector_id, pair) DO UPDATE SET timestamp = excluded.timestamp, item_id = excluded.item_id
    WHERE (excluded.timestamp, excluded.item_id) > (l.timestamp, l.item_id)
),
exchanges AS (
    INSERT INTO connector_exchanges (exchange, connector_id)
    SELECT DISTINCT taken.exchange, taken.connector_id FROM taken WHERE taken.exchange IS NOT NULL
    ON CONFLICT DO NOTHING
)"""


def copy_slice(target: Target, original: Table, files: Table | None) -> Composed:
    """The statement. Its parameters: ``after`` (key of the last row copied), ``limit``, ``earliest`` and ``latest``
    (times outside are not believed), ``before`` (the newest time of earlier slices), ``starts`` (of the partitions).

    ``original`` is the table that was set aside, ``files`` the original's table of files. Answers one row: rows read,
    rows stored, rows mended, key of the last one, newest time.
    """
    parts = [_source(target, original, files), _taken(target, original), _stored(target)]
    if target.partitioned:
        starts = SQL("%(starts)s::timestamptz[]")
        parts.append(SQL(_COUNTED).format(name=SQL(f"'{target.table}'"), starts=starts))
        named = target.table == "api_connector_items"
        name, source = (
            (SQL("taken.api_name"), SQL("taken.exchange")) if named else (SQL("NULL::text"), SQL("NULL::text"))
        )
        parts.append(SQL(_KNOWN).format(name=name, source=source))
        if named:
            parts.append(SQL(_NEWEST).format())
    return SQL(
        "WITH {} SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM stored),"
        " (SELECT count(*) FROM taken WHERE mended), (SELECT max(key) FROM taken), {}"
    ).format(SQL(",").join(parts), _newest_time(target))


def time_of(target: Target, original: Table) -> Composed:
    """SQL for the time of a row of ``original`` (as ``s``), null where there is none to be believed."""
    return _value(next(one for one in target.wanted if one.name == "timestamp"), original)


def _newest_time(target: Target) -> SQL:
    return SQL("(SELECT max(timestamp) FROM taken)") if target.partitioned else SQL("NULL::timestamptz")


def _source(target: Target, original: Table, files: Table | None) -> Composed:
    key = Identifier("s", original.key or MADE_KEY)
    values = [
        SQL("{} AS {}").format(_file_id(one, original, files), Identifier(one.name))
        for one in target.wanted
        if one.sources
    ]
    return SQL(
        "source AS MATERIALIZED (SELECT {key}::bigint AS key, {lossy} AS lossy, {values} FROM {table} AS s"
        " WHERE {key} > %(after)s::bigint ORDER BY {key} LIMIT %(limit)s)"
    ).format(key=key, lossy=_lossy(target, original), values=SQL(", ").join(values), table=Identifier(original.name))


def _taken(target: Target, original: Table) -> Composed:
    """Fill what is missing; ``mended`` tells of rows in which a value that should be there was not, or not readable."""
    filled = []
    mended: list[Composable] = [SQL("source.lossy")]
    for one in target.wanted:
        name = Identifier(one.name)
        choices = ([SQL("{}").format(Identifier("source", one.name))] if one.sources else []) + (
            [SQL("{}").format(SQL(one.otherwise))] if one.otherwise else []
        )
        filled.append(SQL("coalesce({}) AS {}").format(SQL(", ").join(choices), name))
        if one.otherwise and _present(one, original) and (one.needed or one.kind == "moment"):
            mended.append(SQL("{} IS NULL").format(Identifier("source", one.name)))
    return SQL("taken AS MATERIALIZED (SELECT source.key, {} AS mended, {} FROM source)").format(
        SQL(" OR ").join(mended), SQL(", ").join(filled)
    )


def _stored(target: Target) -> Composed:
    names = SQL(", ").join(Identifier(one.name) for one in target.wanted)
    where = SQL(_STORED_WHERE.get(target.table, "true"))
    conflict = SQL(" ON CONFLICT DO NOTHING") if target.table == "api_connectors" else SQL("")
    return SQL(
        "stored AS (INSERT INTO {table} (id, {names}) SELECT taken.key, {names} FROM taken WHERE {where}{conflict}"
        " RETURNING 1)"
    ).format(table=Identifier(target.table), names=names, where=where, conflict=conflict)


def _present(one: Wanted, original: Table) -> list[str]:
    return [source for source in one.sources if source in original.columns]


def _value(one: Wanted, original: Table) -> Composed:
    """The first of its sources that holds something readable."""
    values = [
        converted(one.kind, Identifier("s", source), original.columns[source]) for source in _present(one, original)
    ]
    if not values:
        return SQL("NULL::{}").format(TYPES[one.kind])
    value = SQL("coalesce({})").format(SQL(", ").join(values))
    return SQL("left({}, {})").format(value, one.longest) if one.longest else value


def _file_id(one: Wanted, original: Table, files: Table | None) -> Composed:
    """Files that got new ids are found by what their rows call them."""
    source = next(iter(_present(one, original)), None)
    if one.name != "file_id" or files is None or files.key == "id" or source is None or "id" not in files.columns:
        return _value(one, original)
    alike = files.types["id"] == original.types[source]
    return SQL("(SELECT f.{}::integer FROM {} AS f WHERE {} = {} LIMIT 1)").format(
        Identifier(MADE_KEY),
        Identifier(files.name),
        SQL("f.id") if alike else SQL("f.id::text"),
        Identifier("s", source) if alike else SQL("{}::text").format(Identifier("s", source)),
    )


def _lossy(target: Target, original: Table) -> Composed:
    """Whether a value was there and could not be taken whole."""
    losses = []
    for one in target.wanted:
        for source in _present(one, original)[:1]:
            column = Identifier("s", source)
            if one.kind in ("int32", "int64", "numeric") and one.name != "file_id":
                losses.append(SQL("({} IS NOT NULL AND {} IS NULL)").format(column, _value(one, original)))
            elif one.longest:
                losses.append(SQL("coalesce(length({}::text) > {}, false)").format(column, one.longest))
    return SQL(" OR ").join(losses) if losses else SQL("{}").format(SQL("false"))
