"""The first key: given by the environment, or made once in the data folder."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from etl_actors.errors import UsageError
from etl_actors.keys import KEY_FORM
from etl_actors.vault.doors import FIRST_KEY_NAME, given_first_key, kept_first_key, session_secret

GOOD = "canary-0123456789"


def test_a_first_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    """Mode 0600, of our own form, the same ever after."""
    made = kept_first_key(tmp_path)
    path = tmp_path / FIRST_KEY_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == made.reveal() + "\n"
    assert KEY_FORM.fullmatch(made.reveal())
    assert kept_first_key(tmp_path) == made
    path.unlink()
    assert kept_first_key(tmp_path) != made


@pytest.mark.parametrize("content", ["", "canary", "base64:AAAA"])
def test_a_damaged_first_key_is_named_and_left_alone(tmp_path: Path, content: str) -> None:
    """The mend is to remove it; its content is not repeated."""
    path = tmp_path / FIRST_KEY_NAME
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(UsageError, match="remove it") as refused:
        kept_first_key(tmp_path)
    assert "canary" not in str(refused.value)
    assert path.read_text() == content


def test_the_environment_gives_the_first_key(tmp_path: Path) -> None:
    """As a variable, or as the file that one names; an empty variable is none."""
    (tmp_path / "file").write_text(GOOD + "\n")
    for environment in ({"ETL_ADMIN_KEY": GOOD}, {"ETL_ADMIN_KEY_FILE": str(tmp_path / "file")}):
        given = given_first_key(environment)
        assert given is not None
        assert given.reveal() == GOOD
    assert given_first_key({"ETL_ADMIN_KEY": ""}) is None
    assert given_first_key({}) is None


@pytest.mark.parametrize(
    "weak", ["canary", "canary-15-chars", "canary with spaces in it", "canary-" * 100, "cänary-0123456789"]
)
def test_a_first_key_that_cannot_do_is_refused_in_one_sentence(weak: str) -> None:
    """Too short, too long, or not sendable; without repeating it."""
    with pytest.raises(UsageError, match="ETL_ADMIN_KEY") as refused:
        given_first_key({"ETL_ADMIN_KEY": weak})
    assert "nary" not in str(refused.value)


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    """Not a reason to make another key."""
    with pytest.raises(UsageError, match="ETL_ADMIN_KEY_FILE"):
        given_first_key({"ETL_ADMIN_KEY_FILE": str(tmp_path / "nothing")})


def test_sessions_outlive_a_restart_where_they_can(tmp_path: Path) -> None:
    """Without a folder to keep anything in, the secret lives as long as the process."""
    assert session_secret(tmp_path).reveal() == session_secret(tmp_path).reveal()
    nowhere = tmp_path / "nowhere"
    assert session_secret(nowhere).reveal() != session_secret(nowhere).reveal()
