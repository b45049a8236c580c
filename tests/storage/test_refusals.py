"""A database of one's own that says no: for good, or only for now."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import trio
from psycopg.conninfo import make_conninfo

from etl_actors.errors import EtlActorsError, ServiceFailed, StorageUnavailable, UsageError
from etl_actors.settings import Secret
from etl_actors.settings.service import Database, Retention
from etl_actors.storage import opening
from etl_actors.storage.embedded import open_embedded
from etl_actors.storage.opening import open_storage
from etl_actors.storage.refusals import never_works

from ..postgres import FAST, reachable_folder

PASSWORD = "canary-password"
RULES = """\
local all etl         peer map=service
local all stranger    reject
local all nobody_else peer
local all all         scram-sha-256
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's account can reach."""
    made = reachable_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def error_of(url: str) -> EtlActorsError:
    """What opening storage there raises."""
    with trio.fail_after(60):
        try:
            async with open_storage(Database(url=Secret(url)), Retention(), (), data_dir=Path("/nonexistent")):
                raise AssertionError("it opened")
        except EtlActorsError as error:
            return error


async def test_a_server_that_will_never_let_us_in_ends_the_start(folder: Path) -> None:
    """A wrong password, none, no entry for us, a role or a database that is not there, no right to be in it."""
    rules = folder / "hba"
    rules.write_text(RULES)
    rules.chmod(0o644)
    async with open_embedded(folder / "data", settings={**FAST, "hba_file": str(rules)}) as server:
        with psycopg.connect(server.conninfo, autocommit=True) as connection:
            connection.execute("CREATE ROLE guest LOGIN PASSWORD 'another-password'")
            connection.execute("CREATE ROLE groupless NOLOGIN PASSWORD 'canary-password'")
            connection.execute("CREATE DATABASE closed")
            connection.execute("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
        for changes, said in (
            ({"user": "guest", "password": PASSWORD}, "password authentication failed"),
            ({"user": "nobody", "password": PASSWORD}, "password authentication failed"),
            ({"user": "guest"}, "no password supplied"),
            ({"user": "stranger", "password": PASSWORD}, "pg_hba.conf"),
            ({"user": "nobody_else", "password": PASSWORD}, "authentication failed"),
            ({"user": "groupless", "password": PASSWORD}, "not permitted to log in"),
            ({"dbname": "nowhere", "password": PASSWORD}, 'database "nowhere" does not exist'),
            ({"user": "guest", "password": "another-password", "dbname": "closed"}, "permission denied for database"),
            ({"user": "guest", "password": "another-password"}, "permission denied for schema"),
        ):
            error = await error_of(make_conninfo(server.conninfo, **changes))
            assert isinstance(error, ServiceFailed), (changes, error)
            assert said in str(error)
            assert PASSWORD not in str(error)


@pytest.mark.parametrize("place", ["127.0.0.1:9", "nosuch.invalid", "127.0.0.1:9,127.0.0.1:8"])
async def test_a_server_that_is_not_there_may_come(place: str) -> None:
    """Nobody listens, or the name is not known yet, as in a network of containers that start together."""
    error = await error_of(f"postgresql://etl:{PASSWORD}@{place}/etl")
    assert isinstance(error, StorageUnavailable)
    assert PASSWORD not in str(error)


async def test_a_server_that_is_too_old_is_bad_usage(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here every one is."""
    monkeypatch.setattr(opening, "OLDEST_VERSION", 990000)
    error = await error_of(database)
    assert isinstance(error, UsageError)
    assert "too old" in str(error)


@pytest.mark.parametrize(
    "reason",
    [
        'connection failed: connection to server at "::1", port 1 failed: FATAL:  the database system is starting up',
        'connection failed: connection to server at "::1", port 1 failed: FATAL:  sorry, too many clients already',
        'connection failed: connection to server at "::1", port 5432 failed: server closed the connection unexpectedly',
        'connection is bad: connection to server on socket "/run/.s.PGSQL.5432" failed: No such file or directory',
        'connection failed: connection to server at "db", port 6432 failed: FATAL:  server login has been failing',
        "no answer within 10 seconds",
    ],
)
def test_what_passes_is_waited_for(reason: str) -> None:
    """A server that starts, is full or is on its way out."""
    assert not never_works(reason)


@pytest.mark.parametrize(
    "reason",
    [
        'connection failed: connection to server at "db", port 6432 failed: FATAL:  no such database: etl',
        'connection failed: connection to server at "db", port 1 failed: ERROR:  unsupported startup parameter',
        'no address could be connected to: - host=a: connection is bad: invalid sslmode value: "nonsense"',
        'connection failed: connection to server at "db", port 5432 failed: FATAL:  role "etl" does not exist',
    ],
)
def test_what_a_pooler_or_the_driver_refuses_is_final(reason: str) -> None:
    """Also where several addresses were tried."""
    assert never_works(reason)
