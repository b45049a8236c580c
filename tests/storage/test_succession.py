"""An embedded server that dies is followed by another in the same place."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from psycopg.conninfo import conninfo_to_dict

from etl_actors.errors import Ended, StorageUnavailable
from etl_actors.storage.driver import Connection
from etl_actors.storage.embedded import EmbeddedPostgres, open_embedded
from etl_actors.storage.embedded.leftover import processes_in
from etl_actors.storage.pool import Pool, open_pool

from ..postgres import reachable_folder
from .owner import parent_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
STARTED_SECONDS = 60
# The machine does not lose power here; what was committed must survive a kill all the same.
SETTINGS = {"fsync": "off"}


@pytest.fixture(scope="module")
def used() -> Iterator[Path]:
    """A data folder that these tests share: making a database takes time."""
    made = reachable_folder()
    yield made / "data"
    shutil.rmtree(made, ignore_errors=True)


async def next_one(server: EmbeddedPostgres) -> None:
    """Return once another runs in the place of one that died."""
    with trio.fail_after(STARTED_SECONDS):
        while not server.is_up:  # noqa: ASYNC110 - nobody tells when it is there
            await trio.sleep(0.01)


async def until_refused(pool: Pool) -> None:
    """Return once the pool says that the server is away."""
    with trio.fail_after(STARTED_SECONDS):
        while True:
            try:
                async with pool.connection() as connection:
                    await connection.execute("SELECT FROM kept")
            except StorageUnavailable:
                return


@pytest.mark.parametrize("victim", ["server", "guardian"])
async def test_pools_find_the_next_server_by_the_same_address(used: Path, victim: str, nursery: trio.Nursery) -> None:
    """Killed, it is missed at once, and the next one has the data, the settings and the socket of the first."""
    async with open_embedded(used, settings=SETTINGS, max_connections=17) as server, open_pool(server.conninfo) as pool:
        async with pool.connection() as connection:
            await connection.execute("CREATE TABLE IF NOT EXISTS kept ()")
        first = server.pid
        os.kill(first if victim == "server" else parent_of(first), signal.SIGKILL)
        assert "by SIGKILL" in await server.wait_died()
        assert not server.is_up
        await until_refused(pool)  # a server that lost its guardian is still on its way out
        nursery.start_soon(server.run)
        await next_one(server)
        assert server.pid != first
        async with pool.connection() as connection:
            await connection.execute("SELECT FROM kept")
            assert await (await connection.execute("SHOW max_connections")).fetchone() == ("17",)
        nursery.cancel_scope.cancel()
    assert not list(processes_in(used / "postgres/cluster"))


async def test_lock_files_that_name_somebody_else_are_no_obstacle(used: Path, nursery: trio.Nursery) -> None:
    """The pid of the one that died may belong to another process of its account by now."""
    async with open_embedded(used, settings=SETTINGS) as server:
        os.kill(server.pid, signal.SIGKILL)
        await server.wait_died()
        owner = (used / "postgres/cluster").stat()
        stranger = subprocess.Popen(  # noqa: ASYNC220 - it is there at once, and only sleeps
            ["sleep", "60"], user=owner.st_uid if os.geteuid() == 0 else None
        )
        try:
            lock = Path(str(conninfo_to_dict(server.conninfo)["host"])) / ".s.PGSQL.5432.lock"
            for left in (lock, used / "postgres/cluster/postmaster.pid"):
                left.write_text("\n".join([str(stranger.pid), *left.read_text().splitlines()[1:], ""]))
            nursery.start_soon(server.run)
            await next_one(server)
            async with await Connection.connect(server.conninfo) as connection:
                await connection.execute("SELECT 1")
        finally:
            stranger.kill()
            stranger.wait()
        nursery.cancel_scope.cancel()


async def test_one_that_cannot_start_again_says_why(used: Path) -> None:
    """In PostgreSQL's own words, as an end like any other."""
    async with open_embedded(used, settings=SETTINGS) as server:
        os.kill(server.pid, signal.SIGQUIT)
        assert "received immediate shutdown request" in await server.wait_died()
        control = used / "postgres/cluster/global/pg_control"
        kept = control.read_bytes()
        control.unlink()
        try:
            with pytest.raises(Ended, match=r"PostgreSQL did not start: .*pg_control"):
                await server.run()
        finally:
            control.write_bytes(kept)
            shutil.chown(control, control.parent.stat().st_uid, control.parent.stat().st_gid)
