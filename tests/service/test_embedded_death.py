"""The embedded PostgreSQL of a running service dies: the service stays, says so, and has another in its place."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from ..storage.owner import parent_of
from .running import RunningService, postgres_processes, postmaster, running, until_no_postgres

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
SOON = 30


async def until_restarted(service: RunningService, times: int) -> None:
    """Return once the service is ready with its server started again so often."""
    with trio.fail_after(SOON):
        while True:
            readiness = await service.client.get("/readyz")
            status = await service.get("/api/status")
            if readiness.status_code == 200 and status["database"]["restarts"] == times:
                return
            await trio.sleep(0.02)


async def test_a_server_that_dies_is_started_again(folder: Path) -> None:
    """Meanwhile 503, with the reason; afterwards what was stored is there, and more is; its last words stay to read."""
    (folder / "config").mkdir()
    async with running(folder / "config", folder / "data") as service:
        client = service.client
        uploaded = await client.post("/api/data/upload", files={"file": ("a.csv", b"a\n1\n")})
        assert uploaded.status_code == 201
        assert (await service.get("/api/status"))["database"]["restarts"] == 0
        first = postmaster(folder / "data")
        os.kill(first, signal.SIGQUIT)
        reasons: list[str] = []
        with trio.fail_after(SOON):
            while not reasons:
                answer = await client.get("/readyz")
                if answer.status_code == 503:
                    assert int(answer.headers["retry-after"]) > 0
                    reasons = answer.json()["reasons"]
        assert reasons[0] in {"the embedded PostgreSQL is being started again", "the database does not answer"}
        await until_restarted(service, 1)
        assert postmaster(folder / "data") != first
        assert (await client.get(uploaded.headers["location"])).status_code == 200
        assert (await client.post("/api/data/upload", files={"file": ("b.csv", b"a\n1\n")})).status_code == 201
        database = (await service.get("/api/status"))["database"]
        assert "received immediate shutdown request" in database["last_error"]
        assert await service.stop() == 0
        assert "Traceback" not in service.log.read_text()
    assert not postgres_processes(folder / "data")


@pytest.mark.parametrize("victims", ["service", "service and guardian"])
async def test_a_service_that_is_killed_takes_the_next_server_along(folder: Path, victims: str) -> None:
    """As it does the first: its guardian watches just the same."""
    (folder / "config").mkdir()
    async with running(folder / "config", folder / "data") as service:
        os.kill(postmaster(folder / "data"), signal.SIGKILL)
        await until_restarted(service, 1)
        if victims != "service":
            os.kill(parent_of(postmaster(folder / "data")), signal.SIGKILL)
        service.process.kill()
        await until_no_postgres(folder / "data")


async def test_a_server_that_keeps_dying_takes_the_service_along(folder: Path) -> None:
    """The fourth death within half a minute: exit code 1, and PostgreSQL's own last words."""
    (folder / "config").mkdir()
    async with running(folder / "config", folder / "data") as service:
        for death in range(4):
            if death:
                await until_restarted(service, death)
            os.kill(postmaster(folder / "data"), signal.SIGQUIT)
        with trio.fail_after(SOON):
            assert await service.process.wait() == 1
        log = service.log.read_text()
        assert "Traceback" not in log
        last = log.splitlines()[-1]
        assert last.startswith("etl-actors: the embedded PostgreSQL ")
        assert "4 times in 30 s" in last
        assert "received immediate shutdown request" in last
    await until_no_postgres(folder / "data")
