"""One service that asks for keys, for all tests of access: started once, asked by plain clients."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from ...postgres import reachable_folder
from ..started import started

ADMIN_KEY = "canary-admin-key-of-the-tests"
PROXY = "127.0.0.2"
SETTINGS = f"""
[server]
trusted_proxies = ["{PROXY}", "10.0.0.0/8"]
cors_origins = ["http://localhost:5173", "http://friend.example"]
[security]
require_keys = "yes"
failed_keys_per_minute = 5
"""

_hosts = count(10)


class Guarded:
    """The service, and a key of each scope. Every key that was shown to it must be missing from its log."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        self.data_dir = folder / "data"
        self.log = folder / "log"
        self.shown = {ADMIN_KEY}
        self.keys = {"admin": ADMIN_KEY}
        for scope in ("read", "write"):
            self.keys[scope] = self.new_key(name=f"a {scope} key", scope=scope)["key"]

    def client(self, key: str | None = None, *, source: str | None = None, **arguments: Any) -> httpx.Client:
        """A client that shows ``key``, from an address of its own unless one is given."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if key:
            self.shown.add(key)
        return httpx.Client(
            base_url=self.address,
            headers=headers,
            transport=httpx.HTTPTransport(local_address=source or own_address()),
            timeout=20,
            **arguments,
        )

    def new_key(self, **wanted: Any) -> Any:
        """A key made over REST."""
        with self.client(ADMIN_KEY) as client:
            made = client.post("/api/keys", json=wanted)
        assert made.status_code == 201, made.text
        self.shown.add(made.json()["key"])
        return made.json()

    def socket_url(self, query: str = "") -> str:
        """Where ``/ws`` is."""
        return self.address.replace("http", "ws") + "/ws" + query


def own_address() -> str:
    """An address of this machine that no other test asks from: wrong keys are counted by address."""
    number = next(_hosts)
    return f"127.0.{1 + number // 200}.{1 + number % 200}"


@pytest.fixture(scope="session")
def guarded() -> Iterator[Guarded]:
    """A service that asks for keys."""
    folder = reachable_folder()
    with started(folder, service=SETTINGS, environment={"ETL_ADMIN_KEY": ADMIN_KEY, "DEBUG": "1"}) as running:
        service = Guarded(running.address, folder)
        yield service
    log = service.log.read_text()
    assert "service.ready" in log
    assert [key for key in service.shown if key in log] == []
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def unguarded() -> Iterator[str]:
    """The address of a service on loopback, which asks for none."""
    folder = reachable_folder()
    settings = '[server]\ncors_origins = ["http://friend.example", "*"]\n[security]\nrequests_per_minute = 100\n'
    with started(folder, service=settings) as running:
        yield running.address
    shutil.rmtree(folder, ignore_errors=True)


def problem(response: httpx.Response, status: int) -> Any:
    """The problem document of an error."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    document = response.json()
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document
