"""A real PostgreSQL for the tests: one embedded server a session, a fresh database a test.

A trio fixture cannot outlive its test, so the server is kept by a trio loop of its own in a thread.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
import trio
from psycopg.conninfo import make_conninfo

from etl_actors.storage.embedded import EmbeddedPostgres, open_embedded

# Losing the tests' data in a power cut is fine.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
START_SECONDS = 60.0
MEMORY_BYTES = 2_000_000_000

_numbers = count(1)


class KeptServer:
    """An embedded server that runs until ``close``; ``conninfo`` leads to its maintenance database."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._settled = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="postgres-for-tests")
        self._thread.start()
        assert self._settled.wait(START_SECONDS), "the server for the tests did not start"
        if self._failure:
            raise self._failure

    def close(self) -> None:
        self._token.run_sync_soon(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            trio.run(self._keep)
        except BaseException as error:
            self._failure = error
        finally:
            self._settled.set()

    async def _keep(self) -> None:
        self._stop = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        async with open_embedded(self._data_dir, max_connections=100, settings=FAST) as server:
            self.server: EmbeddedPostgres = server
            self.conninfo = server.conninfo
            self._settled.set()
            await self._stop.wait()


def reachable_folder() -> Path:
    """A new folder that the server's account can pass through, which pytest's own temporary folders forbid."""
    folder = Path(tempfile.mkdtemp(prefix="etl-tests-", dir=_fast_place()))
    folder.chmod(0o711)
    return folder


def _fast_place() -> str | None:
    """Memory, where there is plenty of it; a new database is a thousand small files."""
    memory = Path("/dev/shm")  # noqa: S108  # mkdtemp is safe there
    if memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_BYTES:
        return str(memory)
    return None


@pytest.fixture(scope="session")
def postgres() -> Iterator[KeptServer]:
    """The server of this test session."""
    folder = reachable_folder()
    try:
        server = KeptServer(folder / "data")
        yield server
        server.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(postgres: KeptServer) -> Iterator[str]:
    """The connection string of an empty database that this test has for itself."""
    yield from fresh_database(postgres, template="template1")


def fresh_database(postgres: KeptServer, *, template: str) -> Iterator[str]:
    """Make a copy of ``template``, yield its connection string, drop it; for fixtures."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres.conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        yield make_conninfo(postgres.conninfo, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
