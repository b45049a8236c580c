"""The disk: safe names, unfinished files, and what a killed service left."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.errors import NoRoom, StorageUnavailable
from etl_actors.files import desk as desk_module
from etl_actors.files.desk import FileDesk
from etl_actors.files.folder import NEW_SECONDS, Part, abandoned, check_room, stored_name
from etl_actors.messages import StoredFile

HOSTILE = [
    "../../etc/passwd",
    "/abs",
    "a\0b.csv",
    "C:\\x\\y.csv",
    "..",
    ".",
    "",
    "x" * 5000 + ".csv",
    "ä ö/价格.csv",
    "-rf",
    "\n",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_harmless(name: str, tmp_path: Path) -> None:
    """The file lies in its folder under a plain name."""
    part = Part(tmp_path, stored_name(name))
    part.publish()
    (path,) = tmp_path.iterdir()
    assert path.parent == tmp_path
    assert not path.name.startswith(".")


@given(st.text())
def test_any_name_is_made_plain_and_new(name: str) -> None:
    """ASCII, no separators, short enough for any file system, never twice."""
    one, other = stored_name(name), stored_name(name)
    assert one != other
    assert set(one) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert len(one) < 200


def test_an_ending_is_kept_or_replaced() -> None:
    """``prices.csv`` stays one, and its result is called for what it is."""
    assert stored_name("dir/Prices 1.csv").endswith("-Prices_1.csv")
    assert stored_name("Prices 1.csv", ending="ndjson").endswith("-Prices_1.ndjson")


def test_only_what_nobody_works_on_is_abandoned(tmp_path: Path) -> None:
    """A lock that is held, a file that was made this instant, finished files and strangers are left alone."""
    held, left, fresh = Part(tmp_path, "held"), Part(tmp_path, "left"), Part(tmp_path, "fresh")
    for part in (held, left):
        part.write(b"x")
    left.leave()
    fresh.leave()
    (tmp_path / "finished.csv").write_bytes(b"x")
    (tmp_path / ".hidden").write_bytes(b"x")
    (tmp_path / ".link.part").symlink_to(tmp_path / "finished.csv")
    assert [name for name, _ in abandoned(tmp_path)] == ["left"]
    long_ago = (tmp_path / ".fresh.part").stat().st_mtime - NEW_SECONDS - 1
    os.utime(tmp_path / ".fresh.part", (long_ago, long_ago))
    assert sorted(name for name, _ in abandoned(tmp_path)) == ["fresh", "left"]
    held.remove()


def test_a_disk_without_room_is_told_beforehand(tmp_path: Path) -> None:
    """Nothing is written that cannot fit."""
    check_room(tmp_path, 1)
    with pytest.raises(NoRoom):
        check_room(tmp_path, 10**18)


class Records:
    """Knows some names."""

    def __init__(self, *names: str, old: tuple[StoredFile, ...] = ()) -> None:
        self.names = set(names)
        self.old = list(old)
        self.deleted: list[int] = []

    async def ready(self) -> None: ...
    async def known(self, stored_names: Collection[str]) -> set[str]:
        return self.names & set(stored_names)

    async def expired(self, before: datetime) -> list[StoredFile]:
        return [one for one in self.old if one.uploaded_at < before]

    async def delete(self, file_id: int) -> bool:
        self.deleted.append(file_id)
        return True

    async def store(self, *anything: object) -> StoredFile:
        raise AssertionError("nothing is stored here")


async def test_what_was_left_is_settled_by_what_the_database_knows(tmp_path: Path) -> None:
    """A file that was committed gets its name; one that was not goes."""
    desk = FileDesk(Records("committed"), tmp_path, keep_days=0)
    for name in ("committed", "lost"):
        part = Part(tmp_path / "uploads", name)
        part.write(b"x")
        part.leave()
    await desk.sweep(datetime.now(UTC))
    assert names_in(tmp_path / "uploads") == ["committed"]


async def test_files_that_are_too_old_go(tmp_path: Path) -> None:
    """From the disk and from the database; younger ones stay."""
    now = datetime.now(UTC)
    young, old = (_stored(number, now - timedelta(days=number)) for number in (1, 5))
    records = Records(old=(young, old))
    desk = FileDesk(records, tmp_path, keep_days=3)
    for file in (young, old):
        (tmp_path / "uploads" / str(file.stored_name)).write_bytes(b"x")
    await desk.sweep(now)
    assert records.deleted == [5]
    assert names_in(tmp_path / "uploads") == ["file1"]
    records.old = [young]
    await FileDesk(records, tmp_path, keep_days=0).sweep(now + timedelta(days=10_000))
    assert records.deleted == [5]


async def test_a_file_that_was_deleted_by_half_is_settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database decides: what it still knows gets its name back, what it has forgotten goes."""

    class Lost(Records):
        async def delete(self, file_id: int) -> bool:
            raise StorageUnavailable("gone")

    monkeypatch.setattr(desk_module, "SETTLED_SECONDS", 0)
    for known, left in ((("file1",), ["file1"]), ((), [])):
        file = _stored(1, datetime.now(UTC))
        (tmp_path / "uploads").mkdir(exist_ok=True)
        (tmp_path / "uploads" / "file1").write_bytes(b"x")
        with pytest.raises(StorageUnavailable):
            await FileDesk(Lost(), tmp_path, keep_days=0).remove(file)
        await FileDesk(Records(*known), tmp_path, keep_days=0).sweep(datetime.now(UTC))
        assert names_in(tmp_path / "uploads") == left


async def test_too_many_at_once_are_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a bound to files on their way, and to how long others wait; a place that is left is free again."""
    monkeypatch.setattr(desk_module, "MOST_ARRIVING", 1)
    monkeypatch.setattr(desk_module, "WAIT_SECONDS", 0.05)
    desk = FileDesk(Records(), tmp_path, keep_days=0)
    async with desk.receiving(0):
        with pytest.raises(NoRoom):
            async with desk.receiving(0):
                pass
    async with desk.receiving(0) as arrival:
        await arrival.write(b"x" * 1_000_000)
    assert names_in(tmp_path / "uploads") == []


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _stored(number: int, uploaded_at: datetime) -> StoredFile:
    return StoredFile(number, "upload", "x", f"file{number}", "csv", 1, 1, uploaded_at, None, None, None, None)
