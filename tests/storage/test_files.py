"""Files on a real server: all or nothing, read back in bounded slices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from itertools import chain
from typing import Any

import psycopg
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_actors.errors import FileRefused, OutcomeUnknown, StorageRefused
from etl_actors.messages import FileContents, NewFile, StoredFile
from etl_actors.storage import file_reader
from etl_actors.storage.files import FileWriter, copy_text
from etl_actors.storage.pool import open_pool

from .opened import opened
from .relay import open_relay


def new(name: str) -> NewFile:
    """A CSV file of that name."""
    return NewFile(kind="upload", filename=name, stored_name=name, file_type="csv", encoding="utf-8", delimiter=",")


def contents(count: int) -> Callable[[], FileContents]:
    """So many rows."""
    known = FileContents(file_size=1, row_count=count, columns=["a"], bad_rows={"count": 0, "first": []})
    return lambda: known


async def slices(*rows: Sequence[bytes]) -> AsyncIterator[Sequence[bytes]]:
    """As they are given."""
    for some in rows:
        yield some


async def stored(writer: FileWriter, name: str, *rows: Sequence[bytes]) -> StoredFile:
    """A stored file with these rows."""
    async with aclosing(slices(*rows)) as some:
        return await writer.store(new(name), some, contents(sum(map(len, rows))))


async def all_rows(storage: Any, file_id: int, **wanted: Any) -> list[list[int]]:
    """The numbers of the rows, slice by slice."""
    found = storage.file_reader.row_slices(file_id, **{"limit": 10**9} | wanted)
    return [[row.row_number for row in some] async for some in found]


async def test_rows_come_back_in_their_order(database: str) -> None:
    """Numbered from 1 through all slices; a page begins anywhere."""
    async with opened(database) as storage:
        file = await stored(storage.files, "a", [b'{"a": 1}'] * 120, [b'{"a":\n2.50}', b'{"a":"\\\\ \\t"}'])
        numbers = list(chain(*await all_rows(storage, file.id)))
        assert numbers == list(range(1, 123))
        assert await all_rows(storage, file.id, limit=2, offset=119) == [[120, 121]]
        ids = [row.id async for some in storage.file_reader.row_slices(file.id, limit=3) for row in some]
        assert await all_rows(storage, file.id, limit=2, after=(2, ids[1])) == [[3, 4]]
        last = [row async for some in storage.file_reader.row_slices(file.id, limit=2, offset=120) for row in some]
        assert [bytes(row.row_data) for row in last] == [b'{"a": 2.50}', b'{"a": "\\\\ \\t"}']


async def test_a_slice_is_bounded_in_bytes(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand small rows do not prepare for large ones; a row larger than a slice comes alone."""
    monkeypatch.setattr(file_reader, "SLICE_BYTES", 10_000)
    small, large, huge = b'{"a":1}', b'{"a":"%b"}' % (b"x" * 4_000), b'{"a":"%b"}' % (b"x" * 50_000)
    async with opened(database) as storage:
        file = await stored(storage.files, "a", [small] * 500, [large] * 5, [huge] * 2, [small])
        found = await all_rows(storage, file.id)
    assert list(chain(*found)) == list(range(1, 509))
    assert [506] in found
    assert all(len(some) <= 2 for some in found if 501 <= some[0] <= 505)


async def test_nothing_is_left_of_what_failed(database: str) -> None:
    """Whether the rows end in an error, the server refuses one, or nobody waits any more."""

    async def broken() -> AsyncIterator[Sequence[bytes]]:
        yield [b"{}"] * 10
        raise FileRefused("bad")

    async def endless() -> AsyncIterator[Sequence[bytes]]:
        yield [b"{}"] * 10
        await trio.sleep_forever()

    async with opened(database) as storage:
        with pytest.raises(FileRefused):
            await storage.files.store(new("a"), broken(), contents(10))
        with pytest.raises(StorageRefused):
            await stored(storage.files, "a", [b"{}"], [b'{"a":'])
        with trio.move_on_after(0.2):
            async with aclosing(endless()) as rows:
                await storage.files.store(new("a"), rows, contents(10))
        assert await storage.file_reader.files(limit=10, offset=0, after=None) == ([], 0)
        assert (await stored(storage.files, "a", [b"{}"])).row_count == 1
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM file_data").fetchone() == (1,)


async def test_a_commit_whose_answer_is_lost_is_a_question(database: str) -> None:
    """The writer says that it does not know; the name tells later."""
    async with opened(database) as storage, open_relay(database) as door:
        async with open_pool(door.conninfo, min_connections=0, max_connections=1) as pool:
            door.cut_on = b"COMMIT"
            with pytest.raises(OutcomeUnknown):
                await stored(FileWriter(pool), "a", [b"{}"])
        assert door.cuts == 1
        assert await storage.files.known(["a", "b"]) == {"a"}


async def test_rows_go_with_their_file(database: str) -> None:
    """Whoever deletes it, also by hand; others stay."""
    async with opened(database) as storage:
        one, two, three = [await stored(storage.files, name, [b"{}"] * 3) for name in "abc"]
        assert await storage.files.delete(one.id)
        assert not await storage.files.delete(one.id)
        with psycopg.connect(database) as connection:
            connection.execute("DELETE FROM files WHERE id = %s", (two.id,))
            assert connection.execute("SELECT DISTINCT file_id FROM file_data").fetchall() == [(three.id,)]
        assert await storage.file_reader.file(one.id) is None


@given(rows=st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=8), max_size=3), min_size=1, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_whatever_msgspec_encodes_is_copied_whole(database: str, rows: list[dict[str, str]]) -> None:
    """Backslashes, tabs and line breaks of texts survive COPY."""
    import msgspec

    rows = [{key.replace("\0", ""): value.replace("\0", "") for key, value in row.items()} for row in rows]
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TEMPORARY TABLE copied (file_id integer, row_number bigint, row_data jsonb)")
        with connection.cursor().copy("COPY copied FROM STDIN") as copy:
            copy.write(copy_text(1, 1, [msgspec.json.encode(row) for row in rows]))
        found = connection.execute("SELECT row_data FROM copied ORDER BY row_number").fetchall()
    assert [row for (row,) in found] == rows
