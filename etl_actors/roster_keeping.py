"""Keeps the connectors that were made over REST: sealed under the key in force, and certain of what became of it.

The answer to a COMMIT can be lost, and then nobody can tell from the error whether the change took place; so it is
looked up, and only when that does not go either is it left open (whoever changes the connector next looks first). A key
that was rotated meanwhile is taken over, and what is kept is sealed again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import trio

from .errors import ConfigError, KeyRotated, NotDrained, StorageUnavailable
from .roster_entry import Definition, Entry, opened_entry, sealed
from .settings import ConnectorSettings
from .vault import CannotSeal, Keyring

# A change that is being kept is not torn in two when its caller goes away, or the service stops.
KEEPING_SECONDS = 5.0


class Definitions(Protocol):
    """Keeps the connectors that were made over REST."""

    async def get(self, connector_id: str) -> Definition | None: ...
    async def create(
        self, connector_id: str, name: str, source_id: str, document: dict[str, Any], *, key_id: str
    ) -> Definition: ...
    async def replace(
        self, connector_id: str, name: str, source_id: str, document: dict[str, Any], *, key_id: str, version: int
    ) -> Definition: ...
    async def delete(self, connector_id: str, *, version: int) -> None: ...


class Keys(Protocol):
    """The keys in force; ``refresh`` takes over those of a rotation."""

    @property
    def keyring(self) -> Keyring: ...
    async def refresh(self) -> None: ...


class Keeper:
    """The kept connectors, opened and sealed."""

    def __init__(self, definitions: Definitions, keys: Keys) -> None:
        self._definitions = definitions
        self._keys = keys

    async def version(self, connector_id: str) -> int | None:
        """Which version is kept now; None for none."""
        kept = await self._definitions.get(connector_id)
        return None if kept is None else kept.version

    async def opened(self, connector_id: str) -> Entry | None:
        """What is kept now, as an entry."""
        kept = await self._definitions.get(connector_id)
        if kept is None:
            return None
        await self._keys.refresh()
        return opened_entry(kept, self._keys.keyring)

    async def create(self, settings: ConnectorSettings) -> Definition:
        """Keep a new one. ConnectorExists, StorageUnavailable."""
        try:
            return await self._store(settings, self._definitions.create)
        except StorageUnavailable:
            kept = await self._definitions.get(settings.connector_id)
            if kept is None:
                raise
            return kept

    async def replace(self, settings: ConnectorSettings, *, version: int) -> Definition:
        """Keep this in the place of ``version``. VersionPassed, ConnectorGone, StorageUnavailable."""
        try:
            return await self._store(settings, partial(self._definitions.replace, version=version))
        except StorageUnavailable:
            kept = await self._definitions.get(settings.connector_id)
            if kept is None or kept.version == version:
                raise
            return kept

    async def delete(self, connector_id: str, *, version: int) -> None:
        """Keep it no longer. VersionPassed, ConnectorGone, StorageUnavailable."""
        try:
            await self._definitions.delete(connector_id, version=version)
        except StorageUnavailable:
            if await self._definitions.get(connector_id) is not None:
                raise

    async def _store(self, settings: ConnectorSettings, store: Callable[..., Awaitable[Definition]]) -> Definition:
        try:
            return await self._store_sealed(settings, store)
        except KeyRotated:
            await self._keys.refresh()
        try:
            return await self._store_sealed(settings, store)
        except KeyRotated:
            raise NotDrained("the encryption key is being changed") from None

    async def _store_sealed(
        self, settings: ConnectorSettings, store: Callable[..., Awaitable[Definition]]
    ) -> Definition:
        keyring = self._keys.keyring
        try:
            document = sealed(settings, keyring)
        except CannotSeal as error:
            raise ConfigError(("", "auth", str(error))) from None
        named = (settings.connector_id, settings.api_name, settings.source_id)
        return await store(*named, document, key_id=keyring.key_id)


@contextmanager
def untorn() -> Iterator[None]:
    """What is being kept is kept whole, though its caller goes away; StorageUnavailable when it takes too long."""
    with trio.move_on_after(KEEPING_SECONDS, shield=True) as keeping:
        yield
    if keeping.cancelled_caught:
        raise StorageUnavailable(f"PostgreSQL took no change within {KEEPING_SECONDS:g} s")
