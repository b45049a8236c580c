"""One demo service for all tests of the routes: started once, asked by plain clients."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from ..postgres import reachable_folder
from ..service.running import READY

FILLED_SECONDS = 30


@pytest.fixture(scope="session")
def demo() -> Iterator[str]:
    """The address of a demo in which every connector was polled at least once."""
    with running_demo() as address:
        yield address


@pytest.fixture(scope="session")
def tormented() -> Iterator[str]:
    """The address of another one, for those who send it everything that can be sent."""
    with running_demo() as address:
        yield address


@contextmanager
def running_demo() -> Iterator[str]:
    """A demo in which every connector was polled; at the end it must drain, exit 0, and have logged no traceback."""
    folder = reachable_folder()
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "ETL_DATA_DIR"}}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "etl_actors", "demo", "--port", "0", "--data-dir", str(folder / "data")],
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            cwd=folder,
        )
        assert process.stdout is not None
        with process.stdout:
            line = process.stdout.readline().decode()
            assert line.startswith(READY), (folder / "log").read_text()
            address = line.removeprefix(READY).strip()
            wait_filled(address)
            yield address
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    assert "Traceback" not in (folder / "log").read_text()
    shutil.rmtree(folder, ignore_errors=True)


def wait_filled(address: str) -> None:
    """Until every connector that is on stored a response."""
    deadline = time.monotonic() + FILLED_SECONDS
    with httpx.Client(base_url=address) as client:
        for connector in client.get("/api/connectors").json()["connectors"]:
            if not connector["enabled"]:
                continue
            while client.get(f"/api/data/{connector['connector_id']}/latest").status_code != 200:
                assert time.monotonic() < deadline, f"{connector['connector_id']} stored nothing"
                time.sleep(0.1)


@pytest.fixture
def client(demo: str) -> Iterator[httpx.Client]:
    """A client of the demo."""
    with httpx.Client(base_url=demo, timeout=30) as opened:
        yield opened
