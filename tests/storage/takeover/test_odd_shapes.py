"""Columns that the documentation does not show, of other types or missing, and values that no column of ours takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg.sql import SQL

from etl_actors.paging import Page
from etl_actors.storage.driver import Connection
from etl_actors.storage.takeover.catalogue import read_tables
from etl_actors.storage.takeover.conversions import converted, make_readers
from etl_actors.storage.takeover.targets import Kind

from ..opened import opened
from .original import DOCUMENTED, ask, run

LEDGER = "SELECT rows, mended, left_behind FROM takeover WHERE table_name = '{}'"
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "type_name", "value", "becomes"),
    [
        ("moment", "timestamp", "2025-01-01 12:00", NOON),
        ("moment", "timestamptz", "2025-01-01 13:00+01", NOON),
        ("moment", "date", "2025-01-01", NOON - timedelta(hours=12)),
        ("moment", "date", "5000000-01-01", None),
        ("moment", "text", "2025-01-01T12:00:00", NOON),
        ("moment", "text", "2025-01-01T14:00:00+02:00", NOON),
        ("moment", "text", "1735732800", NOON),
        ("moment", "text", "yesterday at noon", None),
        ("moment", "bigint", "1735732800", NOON),
        ("moment", "bigint", "1735732800000", NOON),
        ("moment", "double precision", "1735732800.5", NOON + timedelta(seconds=0.5)),
        ("moment", "double precision", "NaN", None),
        ("moment", "timestamp", "infinity", None),
        ("moment", "timestamp", "0001-01-01 00:00 BC", None),
        ("moment", "timestamp", "2025-02-02", None),
        ("moment", "boolean", "true", None),
        ("numeric", "double precision", "0.1", Decimal("0.1")),
        ("numeric", "double precision", "95000.123456789", Decimal("95000.123456789")),
        ("numeric", "double precision", "NaN", None),
        ("numeric", "numeric", "NaN", None),
        ("numeric", "numeric", "95000.50", Decimal("95000.50")),
        ("numeric", "real", "-Infinity", None),
        ("numeric", "varchar(30)", " 1e3 ", Decimal(1000)),
        ("numeric", "text", "n/a", None),
        ("numeric", "text", "NaN", None),
        ("numeric", "integer", "7", Decimal(7)),
        ("int32", "double precision", "144.6", 145),
        ("int32", "bigint", "3000000000", None),
        ("int64", "bigint", "3000000000", 3_000_000_000),
        ("int64", "numeric", "1e30", None),
        ("int64", "text", "12", 12),
        ("json", "json", '{"a": 1.50}', '{"a": 1.50}'),
        ("json", "json", r'"\u0000"', r'"\"\\u0000\""'),
        ("json", "text", "[1]", "[1]"),
        ("json", "text", "<html>", '"<html>"'),
        ("json", "integer", "1", "1"),
        ("text", "varchar(9)", "", None),
        ("text", "integer", "5", "5"),
    ],
)
async def test_a_value_is_read_by_its_type_or_not_at_all(
    database: str, kind: Kind, type_name: str, value: str, becomes: Any
) -> None:
    """Exactly, or as null; never as an error."""
    run(database, f"CREATE TABLE one AS SELECT '{value}'::{type_name} AS v")
    async with await Connection.connect(database, autocommit=True) as connection:
        await make_readers(connection)
        family = (await read_tables(connection, ["one"]))["one"].columns["v"]
        read = converted(kind, SQL("one.v"), family)
        shown = SQL("({})::text").format(read) if kind == "json" else read
        cursor = await connection.execute(SQL("SELECT {} FROM one").format(shown), {"latest": NOON + timedelta(days=1)})
        assert await cursor.fetchone() == (becomes,)


async def test_rows_without_a_time_take_the_one_before_them(database: str) -> None:
    """Times that are missing or cannot be believed are mended and counted; no row is lost."""
    run(
        database,
        DOCUMENTED,
        "INSERT INTO api_connector_data (connector_id, response_data, timestamp) VALUES"
        " (NULL, '1', NULL), (NULL, '2', '2025-01-01'), (NULL, '3', NULL), (NULL, '4', 'infinity'),"
        " (NULL, '5', '9000-01-01'), (NULL, '6', '2025-01-02'), (NULL, '7', '1812-01-01')",
    )
    async with opened(database) as storage:
        keys = (await storage.reader.response_keys(Page(newest_first=False, connector_id="unknown"))).keys
    first, second = NOON - timedelta(hours=12), NOON + timedelta(hours=12)
    assert sorted((row_id, at) for at, row_id in keys) == [
        (row_id, second if row_id > 5 else first) for row_id in range(1, 8)
    ]
    assert ask(database, LEDGER.format("api_connector_data")) == [(7, 7, 0)]


async def test_a_response_that_is_missing_or_no_json_is_kept(database: str) -> None:
    """As null, as what was kept raw, or as the text it is."""
    run(
        database,
        "CREATE TABLE api_connector_data (id bigserial PRIMARY KEY, connector_id text, response_data text,"
        " raw_response text, status_code integer, created_at timestamptz)",
        "INSERT INTO api_connector_data (connector_id, response_data, raw_response, created_at) VALUES"
        " ('a', '{\"x\": 1.50}', NULL, now()), ('a', NULL, 'raw', now()), ('a', 'not json', 'not json', now()),"
        " (repeat('long', 100), NULL, NULL, now())",
    )
    async with opened(database):
        pass
    assert ask(database, "SELECT response_data::text, raw_response FROM api_connector_data ORDER BY id") == [
        ('{"x": 1.50}', None),
        ("null", "raw"),
        ('"not json"', "not json"),
        ("null", None),
    ]
    assert ask(database, "SELECT max(length(connector_id)) FROM api_connectors") == [(255,)]
    assert ask(database, LEDGER.format("api_connector_data")) == [(4, 2, 0)]


async def test_items_of_other_columns_and_types_are_read(database: str) -> None:
    """Floats, texts, another name for the symbol; the exchange and the name by the connector."""
    run(
        database,
        DOCUMENTED,
        "CREATE TABLE api_connector_items (id smallserial PRIMARY KEY, connector_id text, symbol text, name text,"
        " price double precision, market_cap varchar(40), volume_24h text, market_cap_rank text, raw_item jsonb,"
        " timestamp text, response_time_ms double precision)",
        "INSERT INTO api_connectors (connector_id, connector_name, source_id) VALUES ('a', 'An A', 'bourse')",
        "INSERT INTO api_connector_items VALUES"
        " (1, 'a', 'BTC', 'Bitcoin', 0.1, '1900000000000.25', 'many', '1', '{}', '2025-01-01T12:00:00Z', 144.6),"
        " (2, 'b', 'ETH', NULL, 'NaN', NULL, NULL, 'x', '{}', NULL, 'Infinity')",
    )
    async with opened(database) as storage:
        found = (await storage.reader.items(Page(exchange="bourse"))).items
        latest, pairs = await storage.reader.latest_items("b", limit=10, offset=0)
    assert [(row.api_name, row.coin_symbol, row.coin_name, row.market_cap_rank) for row in found] == [
        ("An A", "BTC", "Bitcoin", 1)
    ]
    assert (bytes(found[0].price), bytes(found[0].market_cap), found[0].volume_24h) == (
        b"0.1",
        b"1900000000000.25",
        None,
    )
    assert (found[0].timestamp, found[0].response_time_ms) == ("2025-01-01T12:00:00Z", 145)
    assert pairs == 1
    assert (latest[0].api_name, latest[0].exchange, latest[0].price, latest[0].response_time_ms) == (
        "b",
        None,
        None,
        None,
    )
    assert ask(database, LEDGER.format("api_connector_items")) == [(2, 2, 0)]


async def test_rows_without_usable_ids_get_new_ones(database: str) -> None:
    """Files known by a UUID find their rows; responses whose ids repeat are all kept."""
    run(
        database,
        "CREATE TABLE api_connector_data (id integer, connector_id text, response_data jsonb)",
        "INSERT INTO api_connector_data SELECT n % 3, 'a', to_jsonb(n) FROM generate_series(1, 2500) AS n",
        "CREATE TABLE files (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), original_name text, size text)",
        "INSERT INTO files (original_name, size) SELECT n || '.ndjson', n FROM generate_series(1, 9) AS n",
        "CREATE TABLE file_data (id uuid DEFAULT gen_random_uuid(), file_id text, row_index int, data json)",
        "INSERT INTO file_data (file_id, row_index, data) SELECT f.id::text, n, to_json(f.original_name)"
        " FROM files AS f, generate_series(1, 300) AS n",
        "INSERT INTO file_data (file_id, row_index, data) VALUES ('gone', 1, '{}'), (NULL, 1, '{}')",
    )
    async with opened(database) as storage:
        assert (await storage.reader.response_keys(Page())).total.rows == 2500
    assert ask(database, "SELECT count(DISTINCT id), count(DISTINCT response_data) FROM api_connector_data") == [
        (2500, 2500)
    ]
    assert ask(
        database,
        "SELECT count(*), count(DISTINCT f.id), bool_and(d.row_data = to_jsonb(f.filename)), min(file_type)"
        " FROM file_data AS d JOIN files AS f ON f.id = d.file_id",
    ) == [(2700, 9, True, "ndjson")]
    assert ask(database, LEDGER.format("file_data")) == [(2700, 0, 2)]


async def test_a_row_that_cannot_be_stored_stays_behind_alone(database: str) -> None:
    """The slice around it is cut smaller until it is alone; everything else is taken."""
    noise = "(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 300))"
    run(
        database,
        DOCUMENTED,
        "CREATE TABLE api_connector_items (id serial PRIMARY KEY, connector_id text, coin_symbol text, extra jsonb)",
        "INSERT INTO api_connector_items (connector_id, coin_symbol, extra)"
        f" SELECT 'a', CASE WHEN n NOT IN (1, 777, 2000) THEN 'C' || n END, jsonb_build_object('pair', {noise})"
        " FROM generate_series(1, 2000) AS n",
    )
    async with opened(database) as storage:
        assert (await storage.reader.items(Page())).total.rows == 1997
    assert ask(database, LEDGER.format("api_connector_items")) == [(1997, 0, 3)]
    assert ask(database, "SELECT count(*) FROM api_connector_items") == [(1997,)]


async def test_a_table_of_files_in_a_shape_that_nobody_can_guess_is_kept_aside(database: str) -> None:
    """It does not keep the rest from being taken over."""
    run(database, DOCUMENTED, "CREATE TABLE files (blob bytea)", "CREATE VIEW file_data AS SELECT 1 AS x")
    async with opened(database):
        pass
    assert ask(database, "SELECT count(*) FROM files") == [(0,)]
    assert ask(database, "SELECT count(*) FROM files_v0") == [(0,)]
    assert ask(database, "SELECT x FROM file_data_v0") == [(1,)]
