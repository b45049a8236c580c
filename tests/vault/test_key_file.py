"""A key file that cannot be trusted is named with its trouble and left as it is."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from etl_actors.vault import KeyFileUnusable, open_vault
from etl_actors.vault.opening import KEY_NAME

from .tools import RAW, everything_said, locals_of_the_vault

GOOD = base64.b64encode(RAW).decode()


def key_id(folder: Path) -> str:
    """The id of the key that the folder keeps."""
    return open_vault(folder, {}).key_id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """A key that others may read or replace is not used, and not touched."""
    key_id(tmp_path)
    before = (tmp_path / KEY_NAME).read_bytes()
    (tmp_path / KEY_NAME).chmod(mode)
    with pytest.raises(KeyFileUnusable, match=f"open to others .mode {mode:04o}.: run chmod 600"):
        key_id(tmp_path)
    assert (tmp_path / KEY_NAME).read_bytes() == before
    assert stat.S_IMODE((tmp_path / KEY_NAME).stat().st_mode) == mode


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"canary-key", b"base64:Y2FuYXJ5", RAW, b"\xff" * 2000, f"base64:{GOOD}AAAA".encode()]
)
def test_a_damaged_key_file_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """A file of wrong length or form is named, kept byte for byte, and not shown."""
    path = tmp_path / KEY_NAME
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileUnusable, match="damaged") as caught:
        key_id(tmp_path)
    assert path.read_bytes() == content
    assert "canary" not in everything_said(caught.value)
    assert GOOD not in everything_said(caught.value) + locals_of_the_vault(caught.value)


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling link", "no data folder"])
def test_a_key_file_that_is_none_is_one_sentence(tmp_path: Path, kind: str) -> None:
    """Whatever stands where the key file should be, the start says so at once."""
    path = tmp_path / KEY_NAME
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path, 0o600)
    elif kind == "dangling link":
        path.symlink_to(tmp_path / "nothing")
    with pytest.raises(KeyFileUnusable, match="key file") as caught:
        key_id(tmp_path / "nowhere" if kind == "no data folder" else tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    """A key file of somebody else is named with the reason."""
    key_id(tmp_path)
    (tmp_path / KEY_NAME).chmod(0o000)
    with pytest.raises(KeyFileUnusable, match="cannot be read: Permission denied"):
        key_id(tmp_path)
