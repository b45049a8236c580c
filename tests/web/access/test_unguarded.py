"""A service on loopback asks for no keys, and answers only to the names it is known by."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import websockets.sync.client
from websockets.exceptions import InvalidStatus

from ...postgres import reachable_folder
from ..started import started
from .conftest import own_address, problem


def ask(address: str, path: str = "/api/status", method: str = "GET", **headers: str) -> httpx.Response:
    """Ask from an address of its own."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with httpx.Client(transport=httpx.HTTPTransport(local_address=own_address()), timeout=20) as client:
        return client.request(method, address + path, headers=named)


def test_everybody_may_everything_but_make_keys(unguarded: str) -> None:
    """A key outlives the day the service is opened to others, so making one always needs one."""
    assert ask(unguarded).status_code == 200
    assert ask(unguarded, "/ws/test", "POST").status_code == 200
    assert ask(unguarded, "/api/session").json() == {"scope": "admin", "name": "everybody", "key_id": None}
    problem(ask(unguarded, "/api/keys"), 401)
    problem(ask(unguarded, "/api/keys", "POST"), 401)


def test_a_wrong_key_is_refused_all_the_same(unguarded: str) -> None:
    """So that a mistake shows before keys are demanded."""
    problem(ask(unguarded, X_API_Key="wrong"), 401)
    problem(ask(unguarded, Authorization="Bearer wrong"), 401)
    problem(ask(unguarded, Authorization="Bearer"), 401)
    # That of a proxy's own login is not for us.
    assert ask(unguarded, Authorization="Basic bWU6c2VjcmV0").status_code == 200


def test_a_star_welcomes_no_page_where_no_keys_are_asked_for(unguarded: str) -> None:
    """Any page of any browser here could else read and change everything; a page that is named may."""
    stranger, friend = {"Origin": "http://evil.example"}, {"Origin": "http://friend.example"}
    problem(ask(unguarded, "/ws/test", "POST", **stranger), 403)
    assert "access-control-allow-origin" not in ask(unguarded, **stranger).headers
    assert ask(unguarded, "/ws/test", "POST", **friend).status_code == 200
    assert ask(unguarded, **friend).headers["access-control-allow-origin"] == friend["Origin"]


def test_a_strange_host_is_refused(unguarded: str) -> None:
    """Against DNS rebinding: 421 that names the mend. This machine's names, and friends', are fine."""
    port = urlsplit(unguarded).port
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "192.0.2.1", "a@localhost", "[::1"):
        answer = ask(unguarded, Host=host)
        assert "cors_origins" in problem(answer, 421)["detail"], host
        problem(ask(unguarded, "/ws/test", "POST", Host=host), 421)
        assert ask(unguarded, "/healthz", Host=host).status_code == 200
    for host in (
        "localhost",
        f"LOCALHOST:{port}",
        "127.0.0.1",
        "127.9.9.9:1",
        "[::1]:80",
        "a.localhost",
        "friend.example",
    ):
        assert ask(unguarded, Host=host).status_code == 200, host


def test_a_strange_host_opens_no_socket(unguarded: str) -> None:
    """The same for ``/ws``."""
    parts = urlsplit(unguarded)
    for host, origin, status in (
        ("evil.example", f"http://evil.example:{parts.port}", 421),
        ("evil.example", None, 421),
        ("evil.example", "http://elsewhere.example", 403),
    ):
        with pytest.raises(InvalidStatus) as refused:
            websockets.sync.client.connect(
                f"ws://{host}:{parts.port}/ws",
                address=(parts.hostname, parts.port),
                origin=None if origin is None else websockets.Origin(origin),
            )
        assert refused.value.response.status_code == status


def test_a_general_limit_can_be_set(unguarded: str) -> None:
    """429 with Retry-After once an address has asked too often; open routes are not counted."""
    with httpx.Client(
        base_url=unguarded, transport=httpx.HTTPTransport(local_address="127.0.8.1"), timeout=20
    ) as client:
        codes = [client.get("/api/session").status_code for _ in range(110)]
        assert codes[:100] == [200] * 100
        assert 429 in codes
        assert 1 <= int(client.get("/api/session").headers.get("retry-after", 1)) <= 2
        assert all(client.get("/healthz").status_code == 200 for _ in range(20))


@pytest.mark.parametrize("weak", ["tooshort", "fifteen-letters", "with a space in it", "überlänge-schlüssel"])
def test_a_first_key_that_is_no_good_is_refused(tmp_path: Path, weak: str) -> None:
    """Exit code 2 and one sentence that does not repeat it, before anything is opened."""
    done = subprocess.run(
        [sys.executable, "-m", "etl_actors", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"ETL_ADMIN_KEY": weak},
    )  # fmt: skip
    assert done.returncode == 2
    assert "ETL_ADMIN_KEY" in done.stderr
    assert weak not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_first_key_is_told_when_it_is_made() -> None:
    """And not at every start of a service that asks nobody for one."""
    folder = reachable_folder()
    try:
        for told in (1, 1):
            with started(folder):
                assert (folder / "log").read_text().count("service.first_key") == told
    finally:
        shutil.rmtree(folder, ignore_errors=True)
