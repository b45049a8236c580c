"""What is kept of connectors, whatever becomes of the answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from etl_actors.errors import ConnectorExists, ConnectorGone, StorageUnavailable, VersionPassed
from etl_actors.roster_keeping import Keeper
from etl_actors.settings import BearerAuth, ConnectorSettings, Secret
from etl_actors.storage.definitions import DefinitionBook
from etl_actors.storage.migrations import migrate
from etl_actors.storage.pool import open_pool
from etl_actors.vault import Keyring

from .storage.relay import Relay, open_relay
from .vault.tools import vault


class OneKey:
    """The key in force never changes."""

    keyring = Keyring(vault(1))

    async def refresh(self) -> None:
        """There is nothing to take over."""


def connector(token: str = "canary") -> ConnectorSettings:  # noqa: S107 - a planted one
    """Some connector with a secret."""
    return ConnectorSettings(connector_id="c", url="https://a.example/", auth=BearerAuth(token=Secret(token)))


@asynccontextmanager
async def keeping(database: str) -> AsyncIterator[tuple[Keeper, Relay]]:
    """A keeper behind a door that can lose answers."""
    async with open_pool(database) as direct, direct.connection() as connection:
        await migrate(connection)
    async with open_relay(database) as door, open_pool(door.conninfo, max_connections=2) as pool:
        yield Keeper(DefinitionBook(pool), OneKey()), door


async def test_a_change_whose_answer_is_lost_took_place(database: str) -> None:
    """It is looked up, and answered as if nothing had happened."""
    async with keeping(database) as (keeper, door):
        door.cut_on = b"COMMIT"
        assert (await keeper.create(connector())).version == 1
        door.cut_on = b"COMMIT"
        assert (await keeper.replace(connector("other"), version=1)).version == 2
        opened = await keeper.opened("c")
        assert opened is not None
        assert opened.settings == connector("other")
        door.cut_on = b"COMMIT"
        await keeper.delete("c", version=2)
        assert door.cuts == 3
        assert await keeper.version("c") is None


async def test_a_change_that_never_came_to_its_commit_did_not(database: str) -> None:
    """The caller is told, and what was kept is as it was."""
    async with keeping(database) as (keeper, door):
        door.cut_on = b"INSERT INTO api_connectors"
        with pytest.raises(StorageUnavailable):
            await keeper.create(connector())
        assert await keeper.version("c") is None
        await keeper.create(connector())
        door.cut_on = b"UPDATE api_connectors"
        with pytest.raises(StorageUnavailable):
            await keeper.replace(connector("other"), version=1)
        door.cut_on = b"UPDATE api_connectors"
        with pytest.raises(StorageUnavailable):
            await keeper.delete("c", version=1)
        opened = await keeper.opened("c")
        assert opened is not None
        assert (opened.settings, opened.version) == (connector(), 1)


async def test_who_comes_second_is_told(database: str) -> None:
    """By what it is too late for."""
    async with keeping(database) as (keeper, _):
        await keeper.create(connector())
        with pytest.raises(ConnectorExists):
            await keeper.create(connector())
        await keeper.replace(connector("other"), version=1)
        with pytest.raises(VersionPassed):
            await keeper.replace(connector(), version=1)
        await keeper.delete("c", version=2)
        with pytest.raises(ConnectorGone):
            await keeper.delete("c", version=2)
        assert (await keeper.create(connector())).version == 4  # it never counts backwards
