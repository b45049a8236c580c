"""Whose database it is: the original's, ours, nobody's, or somebody's whose tables must not be touched."""

from __future__ import annotations

import psycopg
import pytest

from etl_actors.errors import UsageError
from etl_actors.paging import Page

from ..opened import opened
from .original import RESPONSES, ask, make_original, run
from .test_rows import ORIGINALS

TABLES = (
    "SELECT n.nspname, c.relname, c.relkind::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE n.nspname NOT LIKE 'pg_%' AND n.nspname <> 'information_schema' ORDER BY 1, 2"
)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("CREATE TABLE api_connectors (name text)", "api_connectors .*no column connector_id"),
        ("CREATE TABLE api_connector_data (connector_id text)", "api_connector_data .*no column response_data"),
        ("CREATE VIEW api_connectors AS SELECT 'x' AS connector_id", "api_connectors .*not a plain table"),
        ("CREATE TABLE files (id serial, filename text)", "files .*neither this service's nor the original's"),
        ("CREATE TABLE events (id serial)", "a table events, whose name this service needs"),
        ("CREATE TABLE schema_migrations (version text PRIMARY KEY)", "schema_migrations .*belongs to another program"),
        ("CREATE TABLE takeover (id serial)", "a table takeover, whose name"),
    ],
)
async def test_a_foreign_table_of_a_name_of_ours_is_refused_in_one_sentence(
    database: str, statement: str, told: str
) -> None:
    """The person who started the command can mend it; nothing is touched."""
    run(database, statement)
    before = ask(database, TABLES)
    with pytest.raises(UsageError, match=told) as caught:
        async with opened(database):
            pass
    assert "\n" not in str(caught.value)
    assert "database of its own" in str(caught.value)
    assert ask(database, TABLES) == before


async def test_what_stands_in_the_way_of_the_renaming_is_told(database: str) -> None:
    """Nothing is renamed, and nothing is lost."""
    make_original(database, rows=False)
    run(database, "CREATE TABLE files_v0 (id serial)", "CREATE TABLE events (id serial)")
    before = ask(database, TABLES)
    with pytest.raises(UsageError, match="tables events, files_v0"):
        async with opened(database):
            pass
    assert ask(database, TABLES) == before


async def test_tables_of_the_same_names_in_another_schema_are_left_alone(database: str) -> None:
    """Only the schema in which ours are made counts."""
    run(
        database, "CREATE SCHEMA other", "CREATE TABLE other.files (x int)", "CREATE TABLE other.api_connectors (x int)"
    )
    async with opened(database) as storage:
        assert (await storage.reader.items(Page())).total.rows == 0
    assert ask(database, "SELECT count(*) FROM takeover") == [(0,)]
    assert [row for row in ask(database, TABLES) if row[0] == "other"] == [
        ("other", "api_connectors", "r"),
        ("other", "files", "r"),
    ]


async def test_a_database_of_ours_is_untouched(database: str) -> None:
    """Started again, there is nothing to take over."""
    async with opened(database):
        pass
    before = ask(database, TABLES)
    async with opened(database):
        pass
    assert [row for row in ask(database, TABLES) if "_p2" not in str(row[1])] == [
        row for row in before if "_p2" not in str(row[1])
    ]
    assert not [name for _, name, _ in before if str(name).endswith("_v0")]


async def test_an_original_that_an_older_version_of_ours_stumbled_over_is_taken_over(database: str) -> None:
    """It left an empty table of migrations behind."""
    make_original(database)
    run(
        database,
        "CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())",
    )
    async with opened(database) as storage:
        assert (await storage.reader.response_keys(Page())).total.rows == RESPONSES


async def test_an_original_that_still_runs_is_told(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tables cannot be renamed under its hands."""
    monkeypatch.setattr("etl_actors.storage.takeover.renaming.LOCK_SECONDS", 0.2)
    make_original(database, rows=False)
    with psycopg.connect(database) as connection:
        connection.execute("SELECT count(*) FROM websocket_data")
        with pytest.raises(UsageError, match="stop the original"):
            async with opened(database):
                pass
    async with opened(database):
        pass


async def test_tables_of_somebody_else_are_not_forced(database: str) -> None:
    """Who may not rename them is told as whom to connect."""
    make_original(database, rows=False)
    with psycopg.connect(database, autocommit=True) as connection:
        user = connection.info.user
        row = connection.execute("SELECT 'guest_' || pg_backend_pid()").fetchone()
        assert row is not None
        connection.execute(f"CREATE ROLE {row[0]} NOLOGIN".encode())
        connection.execute(f"GRANT {row[0]} TO {user}".encode())
        connection.execute(f"GRANT ALL ON SCHEMA public TO {row[0]}".encode())
        try:
            with pytest.raises(UsageError, match="connect as the user that owns them"):
                async with opened(psycopg.conninfo.make_conninfo(database, options=f"-c role={row[0]}")):
                    pass
        finally:
            connection.execute(f"REVOKE ALL ON SCHEMA public FROM {row[0]}".encode())
            connection.execute(f"DROP ROLE {row[0]}".encode())
    assert not [name for _, name, _ in ask(database, TABLES) if str(name) in {f"{table}_v0" for table in ORIGINALS}]
