"""A new key while the service polls under load: no poll is lost, and what is made meanwhile opens afterwards."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from ..postgres import KeptServer, fresh_database, reachable_folder
from ..web.origin_server import Asked, serving
from ..web.started import started
from ..web.test_connectors import SERVICE, items, made, run_command, until

OLD, NEW = "the passphrase of before", "the passphrase of afterwards"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the embedded server's account can reach."""
    made = reachable_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def database(postgres: KeptServer) -> Iterator[str]:
    """A database of its own."""
    yield from fresh_database(postgres, template="template1")


class Numbering:
    """A provider that gives the next number to whoever shows the token, and counts those whom it refused."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.refused = 0

    def __call__(self, asked: Asked) -> tuple[int, bytes]:
        token = asked.headers.get("Authorization", "")
        if not token.startswith("Bearer canary-"):
            self.refused += 1
            return 401, b"{}"
        number = self.numbers[asked.target] = self.numbers.get(asked.target, 0) + 1
        return 200, json.dumps([{"s": "N", "p": str(number)}]).encode()


def sealed_under(database: str) -> set[str]:
    """The ids of the keys that stored secrets are under."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT definition::text FROM api_connectors WHERE definition IS NOT NULL").fetchall()
    found = [json.loads(text)["auth"]["token"] for (text,) in rows]
    assert all(text.startswith("v1.") for text in found)
    return {text.split(".")[1] for text in found}


def keep_making(client: httpx.Client, url: str, stop: threading.Event, made_ids: list[str]) -> None:
    """One connector after the other, and changes to each."""
    while not stop.is_set():
        connector_id = f"more_{len(made_ids)}"
        auth = {"type": "bearer", "token": f"canary-{connector_id}"}
        made(client, connector_id, f"{url}/{connector_id}", auth=auth, interval_seconds=0.2)
        document = client.get(f"/api/connectors/{connector_id}").json() | {"interval_seconds": 0.3}
        assert client.put(f"/api/connectors/{connector_id}", json=document).status_code == 200
        made_ids.append(connector_id)


def rekeyed(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """``etl-actors rekey`` on this service's data."""
    return run_command("rekey", "--config", str(folder / "config"), "--data-dir", str(folder / "data"), **environment)


def test_a_rotation_under_load_loses_no_poll(folder: Path, database: str) -> None:
    """Every number of the provider is stored, before and after; the next start needs the new key only."""
    numbering = Numbering()
    environment = {"DATABASE_URL": database, "ENCRYPTION_KEY": OLD}
    with serving(numbering) as provider:
        with started(folder, service=SERVICE, environment=environment) as service, service.client() as client:
            for number in range(4):
                auth = {"type": "bearer", "token": f"canary-{number}"}
                made(client, f"polling_{number}", f"{provider.url}/{number}", auth=auth, interval_seconds=0.02)
            stop, made_ids = threading.Event(), list[str]()
            making = threading.Thread(target=keep_making, args=(client, provider.url, stop, made_ids))
            making.start()
            until(lambda: len(made_ids) > 2)
            done = rekeyed(folder, **environment, ENCRYPTION_KEY_NEW=NEW)
            assert done.returncode == 0, done.stderr
            before = len(made_ids)
            until(lambda: len(made_ids) > before + 2)
            stop.set()
            making.join()
            assert len(sealed_under(database)) == 1  # what was made afterwards, too
            for number in range(4):
                # The last answer may still be on its way when we look.
                client.delete(f"/api/connectors/polling_{number}")
                stored = sorted(int(item["price"]) for item in items(client, f"polling_{number}"))
                served = numbering.numbers[f"/{number}"]
                assert stored[: served - 1] == list(range(1, served))
        assert numbering.refused == 0
        wrong = run_command(*serve(folder), DATABASE_URL=database, ENCRYPTION_KEY="neither this nor that one")
        assert (wrong.returncode, "ENCRYPTION_KEY" in wrong.stderr) == (2, True)
        renewed = environment | {"ENCRYPTION_KEY": NEW}
        with started(folder, service=SERVICE, environment=renewed) as service, service.client() as client:
            polled = numbering.numbers["/more_0"]
            until(lambda: numbering.numbers["/more_0"] > polled)
            assert client.get("/api/status").json()["connectors"]["failing"] == []
    assert numbering.refused == 0
    assert not handed_over(database)
    assert "canary" not in service.log.read_text()


def test_a_service_that_starts_with_the_old_key_goes_on_until_it_gets_the_new_one(folder: Path, database: str) -> None:
    """A restart before the operator came to it is no outage."""
    environment = {"DATABASE_URL": database, "ENCRYPTION_KEY": OLD}
    numbering = Numbering()
    with serving(numbering) as provider:
        with started(folder, service=SERVICE, environment=environment) as service, service.client() as client:
            made(client, "kept", provider.url + "/kept", auth={"type": "bearer", "token": "canary-kept"})
        assert rekeyed(folder, **environment, ENCRYPTION_KEY_NEW=NEW).returncode == 0
        for key in (OLD, NEW, NEW):
            polled = numbering.numbers.get("/kept", 0)
            with started(folder, service=SERVICE, environment=environment | {"ENCRYPTION_KEY": key}):
                until(lambda polled=polled: numbering.numbers.get("/kept", 0) > polled)
    assert not handed_over(database)
    assert run_command(*serve(folder), **environment).returncode == 2  # the old key is history now


def test_rotating_there_and_back_leaves_a_service_that_can_keep_secrets(folder: Path, database: str) -> None:
    """Without a restart in between, and after one, under the first key again."""
    environment = {"DATABASE_URL": database, "ENCRYPTION_KEY": OLD}
    auth = {"type": "bearer", "token": "canary-there"}
    with started(folder, service=SERVICE, environment=environment) as service, service.client() as client:
        made(client, "there", "http://127.0.0.1:9/", auth=auth)
        assert rekeyed(folder, **environment, ENCRYPTION_KEY_NEW=NEW).returncode == 0
        back = rekeyed(folder, **environment | {"ENCRYPTION_KEY": NEW}, ENCRYPTION_KEY_NEW=OLD)
        assert (back.returncode, "1 connector\n" in back.stdout) == (0, True)
        made(client, "and", "http://127.0.0.1:9/", auth=auth)
    assert len(sealed_under(database)) == 1
    with started(folder, service=SERVICE, environment=environment) as service, service.client() as client:
        made(client, "back", "http://127.0.0.1:9/", auth=auth)
        assert client.put("/api/connectors/there", json={"url": "http://127.0.0.1:9/", "auth": auth}).status_code == 200
    assert len(sealed_under(database)) == 1


def test_the_key_file_gets_a_successor(folder: Path) -> None:
    """Without ENCRYPTION_KEY there is nothing to set: while the service runs, and while it does not."""
    numbering = Numbering()
    key = folder / "data" / "vault.key"
    with serving(numbering) as provider:
        with started(folder, service=SERVICE) as service, service.client() as client:
            made(client, "kept", provider.url + "/kept", auth={"type": "bearer", "token": "canary-kept"})
            assert key.stat().st_mode & 0o777 == 0o600
            first = key.read_text()
            done = rekeyed(folder)
            assert done.returncode == 0, done.stderr
            second = key.read_text()
            made(client, "later", provider.url + "/later", auth={"type": "bearer", "token": "canary-later"})
        assert rekeyed(folder).returncode == 0
        assert len({first, second, key.read_text()}) == 3
        assert key.stat().st_mode & 0o777 == 0o600
        with started(folder, service=SERVICE) as service, service.client() as client:
            assert {one["state"] for one in client.get("/api/connectors").json()["connectors"]} == {"running"}
    assert numbering.refused == 0


@pytest.mark.parametrize("given", [NEW, "base64:" + "a" * 43 + "="])
def test_secrets_move_from_the_key_file_to_a_key_of_the_environment(folder: Path, database: str, given: str) -> None:
    """Too early a start with that key says how; the file works until a start with it, and is never removed."""
    numbering, own = Numbering(), {"DATABASE_URL": database}
    key = folder / "data" / "vault.key"
    with serving(numbering) as provider:
        with started(folder, service=SERVICE, environment=own) as service, service.client() as client:
            made(client, "kept", provider.url + "/kept", auth={"type": "bearer", "token": "canary-kept"})
            before = key.read_text()
        for command in (serve(folder), ("rekey", *serve(folder)[1:-2])):
            early = run_command(*command, **own, ENCRYPTION_KEY=given, ENCRYPTION_KEY_NEW="x" * 20)
            assert early.returncode == 2
            assert f"lie under {key}" in early.stderr
            assert "etl-actors rekey" in early.stderr
            assert "backup" not in early.stderr
        with started(folder, service=SERVICE, environment=own):
            done = rekeyed(folder, **own, ENCRYPTION_KEY_NEW=given)
            assert (done.returncode, "set ENCRYPTION_KEY" in done.stdout) == (0, True), done.stderr
        for environment in (own, own | {"ENCRYPTION_KEY": given}, own | {"ENCRYPTION_KEY": given}):
            polled = numbering.numbers.get("/kept", 0)
            with started(folder, service=SERVICE, environment=environment):
                until(lambda polled=polled: numbering.numbers.get("/kept", 0) > polled)
    assert (key.read_text(), numbering.refused) == (before, 0)
    assert not handed_over(database)
    assert run_command(*serve(folder), **own).returncode == 2  # the file is history now


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"ENCRYPTION_KEY": OLD}, "ENCRYPTION_KEY_NEW"),
        ({"ENCRYPTION_KEY": OLD, "ENCRYPTION_KEY_NEW": OLD}, "another one"),
        ({"ENCRYPTION_KEY": OLD, "ENCRYPTION_KEY_NEW": "short"}, "shorter"),
        ({"ENCRYPTION_KEY": "some other passphrase", "ENCRYPTION_KEY_NEW": NEW}, "another one than the secret"),
    ],
)
def test_a_rotation_that_cannot_be_changes_nothing(
    folder: Path, database: str, environment: Mapping[str, str], says: str
) -> None:
    """One sentence, exit code 2, and the service starts with the key it had."""
    own = {"DATABASE_URL": database, "ENCRYPTION_KEY": OLD}
    with started(folder, service=SERVICE, environment=own) as service, service.client() as client:
        made(client, "kept", "http://127.0.0.1:9/", auth={"type": "bearer", "token": "canary-kept"})
    before = sealed_under(database)
    refused = rekeyed(folder, DATABASE_URL=database, **environment)
    assert (refused.returncode, says in refused.stderr) == (2, True), refused.stderr
    assert "Traceback" not in refused.stderr
    assert sealed_under(database) == before
    assert not handed_over(database)


def serve(folder: Path) -> tuple[str, ...]:
    """The command that starts this service again."""
    return ("serve", "--config", str(folder / "config"), "--data-dir", str(folder / "data"), "--port", "0")


def handed_over(database: str) -> list[Any]:
    """What is left of rotations for services that may not know of them."""
    with psycopg.connect(database) as connection:
        return connection.execute("SELECT * FROM key_handover").fetchall()
