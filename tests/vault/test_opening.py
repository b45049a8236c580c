"""The key comes from the environment or the data folder, and no trouble with it destroys or shows anything."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl_actors.errors import UsageError
from etl_actors.vault import KeyMissing, WrongKey, open_vault
from etl_actors.vault.opening import KEY_NAME, SALT_NAME

from .tools import PASSPHRASE, RAW, SECRET, everything_said, locals_of_the_vault

GOOD = base64.b64encode(RAW).decode()


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each of several umasks, until the test ends."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def key_id(folder: Path, value: str | None = None) -> str:
    """The id of the key that this ENCRYPTION_KEY gives."""
    return open_vault(folder, {} if value is None else {"ENCRYPTION_KEY": value}).key_id


@pytest.mark.parametrize("value", [None, PASSPHRASE])
def test_the_same_surroundings_give_the_same_key(tmp_path: Path, value: str | None) -> None:
    """A secret sealed before a restart opens after it."""
    environment = {} if value is None else {"ENCRYPTION_KEY": value}
    stored = open_vault(tmp_path, environment).seal(SECRET, owner="a", field="b")
    assert open_vault(tmp_path, environment, may_create=False).open(stored, owner="a", field="b").reveal() == SECRET


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(("value", "name"), [(None, KEY_NAME), (PASSPHRASE, SALT_NAME)])
def test_files_are_closed_to_others(tmp_path: Path, value: str | None, name: str) -> None:
    """Key file and salt have mode 0600 whatever the umask, and nothing else is left in the folder."""
    key_id(tmp_path, value)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("value", ["", PASSPHRASE])
def test_processes_that_start_together_agree(tmp_path: Path, value: str) -> None:
    """Several processes that find no file all end up with the key of whoever was first."""
    code = (
        "import sys; from pathlib import Path; from etl_actors.vault import open_vault; print('ready', flush=True); "
        "sys.stdin.readline(); print(open_vault(Path(sys.argv[1]), {'ENCRYPTION_KEY': sys.argv[2]}).key_id)"
    )
    command = [sys.executable, "-c", code, str(tmp_path), value]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = {process.communicate(timeout=30)[0] for process in started}
    assert len(answers) == 1
    assert answers == {f"{key_id(tmp_path, value)}\n"}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_passphrase_means_another_key_in_another_installation(tmp_path: Path) -> None:
    """The salt is of the installation, so one passphrase does not give one key everywhere."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    assert key_id(tmp_path / "one", PASSPHRASE) != key_id(tmp_path / "two", PASSPHRASE)


def test_the_stretching_stays_as_it_is(tmp_path: Path) -> None:
    """Passphrase and salt give this key for ever, since stored secrets depend on it."""
    (tmp_path / SALT_NAME).write_text("base64:AAECAwQFBgcICQoLDA0ODw==\n")
    (tmp_path / SALT_NAME).chmod(0o600)
    assert key_id(tmp_path, PASSPHRASE) == "7f755c8d7b76429f"


@pytest.mark.parametrize("value", [GOOD, GOOD.rstrip("="), GOOD.replace("+", "-").replace("/", "_"), f" {GOOD}\n"])
def test_a_raw_key_needs_no_folder(tmp_path: Path, value: str) -> None:
    """32 bytes in any usual spelling of base64 are one key, and nothing is written for it."""
    assert key_id(tmp_path / "nowhere", f"base64:{value}") == key_id(tmp_path / "nowhere", f"base64:{GOOD}")


@pytest.mark.parametrize(
    "value", ["", GOOD[:-4], GOOD + "AAAA", GOOD[:-2] + "é=", GOOD[:20] + "*" + GOOD[21:], "A" * 41]
)
def test_a_bad_raw_key_is_one_sentence(tmp_path: Path, value: str) -> None:
    """What is no base64 of 32 bytes is refused and never taken for a passphrase."""
    with pytest.raises(UsageError, match="exactly 32 bytes in base64") as caught:
        key_id(tmp_path, f"base64:{value}")
    assert not value or value not in everything_said(caught.value)
    assert not value or value not in locals_of_the_vault(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "reason"), [("canary-of-15-ch", "shorter than 16"), ("canary" * 4 + "\udcff", "UTF-8")]
)
def test_a_bad_passphrase_is_one_sentence(tmp_path: Path, value: str, reason: str) -> None:
    """A passphrase that is too short or no text is refused without being shown."""
    with pytest.raises(UsageError, match=reason) as caught:
        key_id(tmp_path, value)
    assert "canary" not in everything_said(caught.value) + locals_of_the_vault(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_variable_may_be_a_file(tmp_path: Path) -> None:
    """ENCRYPTION_KEY_FILE gives what ENCRYPTION_KEY would, also beside an ENCRYPTION_KEY that is empty."""
    (tmp_path / "given").write_text(f"{PASSPHRASE}\n")
    named = {"ENCRYPTION_KEY_FILE": str(tmp_path / "given")}
    assert open_vault(tmp_path, named).key_id == key_id(tmp_path, PASSPHRASE)
    assert open_vault(tmp_path, {**named, "ENCRYPTION_KEY": ""}).key_id == key_id(tmp_path, PASSPHRASE)


@pytest.mark.parametrize("content", [None, b"", b"canary-canary-canary\xff"])
def test_a_bad_file_of_the_variable_is_no_reason_to_make_a_key(tmp_path: Path, content: bytes | None) -> None:
    """A file that is missing, empty or no text is one sentence, shows nothing, and no key is made instead."""
    if content is not None:
        (tmp_path / "given").write_bytes(content)
    with pytest.raises(UsageError, match="ENCRYPTION_KEY") as caught:
        open_vault(tmp_path, {"ENCRYPTION_KEY_FILE": str(tmp_path / "given")})
    assert "canary-" not in everything_said(caught.value)
    assert not (tmp_path / KEY_NAME).exists()


def test_a_key_file_can_be_given_as_the_variable(tmp_path: Path) -> None:
    """The content of a key file is an ENCRYPTION_KEY, so that a service can move."""
    made = key_id(tmp_path)
    assert key_id(tmp_path / "nowhere", (tmp_path / KEY_NAME).read_text()) == made


@pytest.mark.parametrize(("value", "name"), [(None, KEY_NAME), (PASSPHRASE, SALT_NAME)])
def test_a_lost_file_is_not_replaced_when_secrets_are_stored(tmp_path: Path, value: str | None, name: str) -> None:
    """Told that secrets exist, the vault names the missing file and makes no other."""
    environment = {} if value is None else {"ENCRYPTION_KEY": value}
    with pytest.raises(KeyMissing, match=f"{name} is missing although secrets are stored"):
        open_vault(tmp_path, environment, may_create=False)
    assert not list(tmp_path.iterdir())


def test_a_lost_file_that_was_replaced_is_a_wrong_key(tmp_path: Path) -> None:
    """Not told, the vault makes a new key, and the old secrets say that it is another one."""
    stored = open_vault(tmp_path, {}).seal(SECRET, owner="a", field="b")
    (tmp_path / KEY_NAME).unlink()
    with pytest.raises(WrongKey):
        open_vault(tmp_path, {}).open(stored, owner="a", field="b")
