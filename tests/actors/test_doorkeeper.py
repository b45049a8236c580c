"""The doorkeeper knows keys from memory, sees what was revoked, and says when it cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
import trio
import trio.testing

from etl_actors.actors.doorkeeper import LOOK_SECONDS, USE_SECONDS, Doorkeeper
from etl_actors.errors import StorageUnavailable
from etl_actors.keys import KEY_FORM, KeyRecord, Scope, digest_of, new_key

FIRST = "a-first-key-of-somebody"


class Table:
    """The keys, in memory; may be away, or slow."""

    def __init__(self) -> None:
        self.records: dict[int, KeyRecord] = {}
        self.away = False
        self.seconds = 0.0
        self.looks = 0
        self.uses: list[dict[int, datetime]] = []

    def add(self, scope: Scope = "read", *, expires_at: datetime | None = None) -> str:
        """A new key."""
        key, number = new_key(), len(self.records) + 1
        self.records[number] = KeyRecord(
            id=number, name="", scope=scope, hint=key[:8], digest=digest_of(key), created_at=datetime.now(UTC),
            expires_at=expires_at,
        )  # fmt: skip
        return key

    async def active(self) -> list[KeyRecord]:
        self.looks += 1
        await trio.sleep(self.seconds)
        if self.away:
            raise StorageUnavailable("away")
        return [one for one in self.records.values() if one.is_active(datetime.now(UTC))]

    async def note_uses(self, uses: Mapping[int, datetime]) -> None:
        self.uses.append(dict(uses))


async def test_keys_are_known_by_their_scope() -> None:
    """Looked up at once where memory does not tell; the first key is no row."""
    table = Table()
    doorkeeper = Doorkeeper(table, first_key=FIRST)
    key = table.add("write")
    assert doorkeeper.recognise_nowait(key) is None
    found = await doorkeeper.recognise(key)
    assert found is not None
    assert (found.scope, found.key_id) == ("write", 1)
    assert doorkeeper.recognise_nowait(key) == found
    first = await doorkeeper.recognise(FIRST)
    assert first is not None
    assert (first.scope, first.key_id) == ("admin", 0)


async def test_a_first_key_that_was_made_up_is_not_told_from_memory() -> None:
    """It could be guessed, so whoever asks for it may be told to wait; a random one cannot."""
    assert Doorkeeper(Table(), first_key=FIRST).recognise_nowait(FIRST) is None
    random = new_key()
    assert Doorkeeper(Table(), first_key=random).recognise_nowait(random) is not None


async def test_what_is_no_key_is_not_looked_up() -> None:
    """The database is asked only about what could be one of its keys."""
    table = Table()
    doorkeeper = Doorkeeper(table, first_key=FIRST)
    for text in ("", "nonsense", "etl_short", "\ud800", "x" * 10_000):
        assert await doorkeeper.recognise(text) is None
    assert table.looks == 0
    assert KEY_FORM.fullmatch(new_key())
    assert await doorkeeper.recognise(new_key()) is None
    assert table.looks == 1


async def test_many_who_ask_at_once_share_a_look(autojump_clock: trio.testing.MockClock) -> None:
    """A look that began after they asked; the one that runs already may have missed their key."""
    table = Table()
    table.seconds = 1.0
    doorkeeper = Doorkeeper(table, first_key=FIRST)
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(doorkeeper.recognise, new_key())
    assert table.looks <= 2


async def test_a_revoked_key_is_forgotten_and_its_sockets_are_told(autojump_clock: trio.testing.MockClock) -> None:
    """At the next look; others are not."""
    table = Table()
    doorkeeper = Doorkeeper(table, first_key=FIRST)
    ending, staying = table.add(), table.add()
    caller = await doorkeeper.recognise(ending)
    other = await doorkeeper.recognise(staying)
    assert caller is not None
    assert other is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorkeeper.run)
        await trio.sleep(5)
        del table.records[1]
        with trio.fail_after(2):
            await doorkeeper.wait_ended(caller)
        assert doorkeeper.recognise_nowait(ending) is None
        assert doorkeeper.known_nowait(1) is None
        assert doorkeeper.recognise_nowait(staying) is not None
        with trio.move_on_after(5) as waiting:
            await doorkeeper.wait_ended(other)
        assert waiting.cancelled_caught
        with trio.fail_after(1):
            await doorkeeper.wait_ended(caller)
        nursery.cancel_scope.cancel()


async def test_while_the_database_is_away_known_keys_work_and_of_others_nobody_can_tell(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """StorageUnavailable, also when it is only slow; afterwards all is as before."""
    table = Table()
    doorkeeper = Doorkeeper(table, first_key=FIRST)
    known, unknown = table.add(), new_key()
    await doorkeeper.look()
    table.away = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorkeeper.run)
        await trio.sleep(3)
        assert doorkeeper.recognise_nowait(known) is not None
        with pytest.raises(StorageUnavailable):
            await doorkeeper.recognise(unknown)
        assert await doorkeeper.recognise(FIRST) is not None
        table.away, table.seconds = False, LOOK_SECONDS * 10
        with pytest.raises(StorageUnavailable):
            await doorkeeper.recognise(unknown)
        table.seconds = 0
        await trio.sleep(60)
        assert await doorkeeper.recognise(unknown) is None
        nursery.cancel_scope.cancel()


async def test_a_key_expires_even_while_the_database_is_away(autojump_clock: trio.testing.MockClock) -> None:
    """Memory knows when."""
    table = Table()
    doorkeeper = Doorkeeper(table, first_key=FIRST)
    soon = datetime.now(UTC) + timedelta(milliseconds=60)
    key = table.add(expires_at=soon)
    await doorkeeper.look()
    table.away = True
    while datetime.now(UTC) < soon:
        await trio.lowlevel.checkpoint()
    assert doorkeeper.recognise_nowait(key) is None
    assert doorkeeper.known_nowait(1) is None


async def test_the_last_use_is_written_once_a_minute(autojump_clock: trio.testing.MockClock) -> None:
    """However often a key is shown."""
    table = Table()
    doorkeeper = Doorkeeper(table, first_key=FIRST)
    key = table.add()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorkeeper.run)
        for _ in range(int(USE_SECONDS / 2)):
            await doorkeeper.recognise(key)
            await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert [set(uses) for uses in table.uses] == [{1}]
