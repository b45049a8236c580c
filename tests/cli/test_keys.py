"""``etl-actors keys``, while a service runs, while none does, and with a database of the user's own."""

from __future__ import annotations

import getpass
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from etl_actors.keys import KEY_FORM

from ..postgres import reachable_folder
from ..web.started import started
from .test_commands import run


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the embedded server's account can reach."""
    made = reachable_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def keys(*arguments: str, data_dir: Path, **environment: str) -> str:
    """What a command that works prints."""
    done = run("keys", *arguments, ETL_DATA_DIR=str(data_dir), **environment)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    return done.stdout


def status(address: str, key: str) -> int:
    """What the service says to whoever shows ``key``."""
    return httpx.get(address + "/api/status", headers={"Authorization": f"Bearer {key}"}).status_code


def test_keys_are_made_listed_and_revoked_with_and_without_a_service(folder: Path) -> None:
    """One that was made before the start works; one made meanwhile too; a revoked one ends within seconds."""
    data_dir = folder / "data"
    early = keys("create", "--name", "early bird", data_dir=data_dir)
    assert KEY_FORM.fullmatch(early.strip())
    assert early.count("\n") == 1
    with started(folder, service='[security]\nrequire_keys = "yes"\n') as running:
        address = running.address
        late = keys("create", "--scope", "write", "--expires-days", "1", data_dir=data_dir).strip()
        assert [status(address, key) for key in (early.strip(), late, "etl_no")] == [200, 200, 401]
        listed = keys("list", data_dir=data_dir)
        assert [line.split()[0] for line in listed.splitlines()] == ["id", "1", "2"]
        assert "early bird" in listed
        assert early[4:8] in listed
        assert early.strip() not in listed
        assert "early bird" in keys("revoke", "early bird", data_dir=data_dir)
        deadline = time.monotonic() + 4
        while status(address, early.strip()) != 401:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        first = (data_dir / "admin.key").read_text().strip()
        assert status(address, first) == 200
        log = (folder / "log").read_text()
        assert str(data_dir / "admin.key") in log
        assert f'"data_dir":"{data_dir}"' in log.replace('": "', '":"')
        assert not any(key in log for key in (first, late, early.strip()))
    assert "revoked" in keys("list", data_dir=data_dir)
    keys("revoke", "1", data_dir=data_dir)


def test_keys_of_a_database_of_ones_own(database: str, tmp_path: Path) -> None:
    """Wherever DATABASE_URL leads; no data folder is made."""
    assert "no keys yet" in keys("list", data_dir=tmp_path / "none", DATABASE_URL=database)
    keys("create", data_dir=tmp_path / "none", DATABASE_URL=database)
    assert "read" in keys("list", data_dir=tmp_path / "none", DATABASE_URL=database)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list",), "holds no database"),
        (("revoke", "1"), "holds no database"),
        (("revoke", "one"), "holds no database"),
        (("create", "--scope", "root"), "root"),
        (("create", "--name", "a\nb"), "--name"),
        (("create", "--expires-days", "0"), "--expires-days"),
        (("create", "--expires-days", "1e9"), "--expires-days"),
        (("dance",), "dance"),
    ],
)
def test_bad_usage_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """Exit code 2, and nothing is made."""
    done = run("keys", *arguments, ETL_DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_key_that_is_not_there_cannot_be_revoked(database: str, tmp_path: Path) -> None:
    """Exit code 2, and where to look."""
    done = run("keys", "revoke", "7", DATABASE_URL=database, ETL_DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    assert "keys list" in done.stderr


def test_a_name_names_a_key_while_it_is_the_only_one(database: str, tmp_path: Path) -> None:
    """Two of a name are told apart by id; whoever gives no name is the name; the list tells of the first key."""
    made = {"DATABASE_URL": database, "ETL_DATA_DIR": str(tmp_path)}
    for name in ("twin", "twin", "nothing more"):
        assert run("keys", "create", "--name", name, **made).returncode == 0
    assert run("keys", "create", **made).returncode == 0
    listed = run("keys", "list", **made)
    assert f"{getpass.getuser()}@{socket.gethostname()}" in listed.stdout
    assert "admin.key" in listed.stderr
    several = run("keys", "revoke", "twin", **made)
    assert several.returncode == 2
    assert "2 keys are named 'twin'" in several.stderr
    first = several.stderr.split("(")[1].split(",")[0]
    for key in (first, "twin"):  # now there is one
        assert "revoked key" in run("keys", "revoke", key, **made).stdout
    assert run("keys", "revoke", "twin", **made).returncode == 2


def test_a_database_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    """Exit code 1; its password is not repeated."""
    url = "postgresql://etl:canary-password@127.0.0.1:1/etl"
    done = run("keys", "list", DATABASE_URL=url, ETL_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "canary" not in done.stderr
