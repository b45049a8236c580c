"""Who is on: every connector, where it is written, and the actor that runs it; and how that changes while we run.

A change takes effect at once and alone: a new connector starts; a changed one is drained under its old mapping, kept,
and started under the new one; a deleted one is drained, then forgotten. If any step fails, the connector runs on as it
was. What is written in config files is read-only here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, Protocol
from weakref import WeakValueDictionary

import structlog
import trio
from msgspec.structs import replace

from .crew import Crew
from .errors import (
    ConfigError,
    ConnectorExists,
    ConnectorFromFile,
    ConnectorGone,
    KeyRotated,
    NotDrained,
    StorageUnavailable,
    VersionPassed,
)
from .factory import ActorFactory
from .roster_entry import Definition, Entry, kept_entry, sealed
from .roster_request import requested, target_mistakes
from .settings import ConnectorSettings
from .transforms.mapping import Mapping as ItemMapping
from .vault import CannotSeal, Keyring

log = structlog.get_logger("roster")

# A change that is being kept is not torn in two when its caller goes away.
KEEPING_SECONDS = 60.0


class Definitions(Protocol):
    """Keeps the connectors that were made over REST."""

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


class Roster:
    """Every connector by id. ``refuse_target(url)`` says why a REST caller may not have this address asked."""

    def __init__(
        self,
        factory: ActorFactory,
        crew: Crew,
        definitions: Definitions,
        keys: Keys,
        *,
        entries: Iterable[Entry],
        refuse_target: Callable[[str], str | None],
        forget: Callable[[str], None],
        drain_seconds: float,
    ) -> None:
        self._factory = factory
        self._crew = crew
        self._definitions = definitions
        self._keys = keys
        self._entries = {entry.settings.connector_id: entry for entry in entries}
        self._refuse_target = refuse_target
        self._forget = forget
        self._drain_seconds = drain_seconds
        self._locks: WeakValueDictionary[str, trio.Lock] = WeakValueDictionary()

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Everybody, by id: first those from files, then those made over REST, oldest first."""
        return self._entries

    def reading_under(self, epochs: Mapping[str, int]) -> list[str]:
        """Those of these connectors that read under that epoch now; who has claimed a newer one did not lose it."""
        return [
            connector_id
            for connector_id, epoch in epochs.items()
            if (entry := self._entries.get(connector_id)) is not None
            and entry.actor is not None
            and entry.actor.epoch == epoch
        ]

    def look_again_nowait(self, connector_id: str) -> None:
        """What is known of a connector's answers has changed."""
        entry = self._entries.get(connector_id)
        if entry is not None and entry.actor is not None:
            entry.actor.look_again_nowait()

    async def create(self, document: Mapping[str, Any]) -> Entry:
        """A new connector, kept and running. ConfigError, ConnectorExists, StorageUnavailable."""
        settings = requested(document, None)
        mapping = self._checked(settings)
        connector_id = settings.connector_id
        async with self._lock(connector_id):
            if connector_id in self._entries:
                raise ConnectorExists(connector_id)
            with _untorn():
                kept = await self._keep(settings, self._definitions.create)
                entry = self._put(settings, mapping, kept)
        await self._crew.wait_begun(connector_id)
        log.info("connector.created", connector_id=connector_id)
        return entry

    async def replace(self, connector_id: str, document: Mapping[str, Any], *, etag: str | None) -> Entry:
        """The connector as ``document`` says, and nothing of what it was; ``etag`` is the one it was read under.

        Raises what :meth:`create` does, ConnectorGone, ConnectorFromFile, VersionPassed and NotDrained.
        """
        async with self._lock(connector_id):
            entry = self._changeable(connector_id, etag)
            settings = requested(document, entry)
            mapping = self._checked(settings)
            if settings == entry.settings and entry.trouble is None:
                return entry
            async with self._drained(entry):
                kept = await self._keep(settings, partial(self._definitions.replace, version=entry.version))
                paused = entry.actor is not None and entry.actor.paused
                replaced = self._put(settings, mapping, kept, paused=paused)
        await self._crew.wait_begun(connector_id)
        log.info("connector.replaced", connector_id=connector_id)
        return replaced

    async def delete(self, connector_id: str, *, etag: str | None) -> None:
        """No more of it, once what it read is stored. ConnectorGone, ConnectorFromFile, VersionPassed, NotDrained."""
        async with self._lock(connector_id):
            entry = self._changeable(connector_id, etag)
            if entry.actor is not None:
                entry.actor.part_nowait("it is deleted")
            async with self._drained(entry):
                await self._definitions.delete(connector_id, version=entry.version)
                del self._entries[connector_id]
                self._factory.mappings.pop(connector_id, None)
                self._forget(connector_id)
        log.info("connector.deleted", connector_id=connector_id)

    def _lock(self, connector_id: str) -> trio.Lock:
        return self._locks.setdefault(connector_id, trio.Lock())

    def _changeable(self, connector_id: str, etag: str | None) -> Entry:
        entry = self._entries.get(connector_id)
        if entry is None:
            raise ConnectorGone(connector_id)
        if entry.file is not None:
            raise ConnectorFromFile(connector_id, entry.file)
        if etag not in {None, entry.etag}:
            raise VersionPassed(connector_id)
        return entry

    def _checked(self, settings: ConnectorSettings) -> ItemMapping:
        """The mapping; :class:`ConfigError` for what only this service knows to be wrong."""
        mistakes = []
        if (limit := self._factory.missing_limit(settings)) is not None:
            mistakes.append(("", "limit", limit))
        mistakes.extend(target_mistakes(settings, self._refuse_target))
        try:
            mapping = self._factory.mapping(settings)
        except ConfigError as error:
            raise ConfigError(*mistakes, *error.mistakes) from None
        if mistakes:
            raise ConfigError(*mistakes)
        return mapping

    async def _keep(self, settings: ConnectorSettings, store: Callable[..., Awaitable[Definition]]) -> Definition:
        try:
            return await self._keep_sealed(settings, store)
        except KeyRotated:
            await self._keys.refresh()
            return await self._keep_sealed(settings, store)

    async def _keep_sealed(
        self, settings: ConnectorSettings, store: Callable[..., Awaitable[Definition]]
    ) -> Definition:
        keyring = self._keys.keyring
        try:
            document = sealed(settings, keyring)
        except CannotSeal as error:
            raise ConfigError(("", "auth", str(error))) from None
        named = (settings.connector_id, settings.api_name, settings.source_id)
        return await store(*named, document, key_id=keyring.key_id)

    @asynccontextmanager
    async def _drained(self, entry: Entry) -> AsyncIterator[None]:
        """The connector is ended and what it read is stored; when the block fails it runs on as it was."""
        connector_id = entry.settings.connector_id
        try:
            await self._crew.remove(connector_id, drain_seconds=self._drain_seconds)
            with _untorn():
                yield
        except BaseException:
            if self._entries.get(connector_id) is entry:
                self._start(entry)
            raise

    def _put(
        self, settings: ConnectorSettings, mapping: ItemMapping, kept: Definition, *, paused: bool = False
    ) -> Entry:
        entry = kept_entry(settings, kept)
        self._factory.mappings[settings.connector_id] = mapping
        if entry.runs:
            actor = self._factory.connector(settings, mapping, trusted=False)
            if paused:
                actor.pause_nowait()
            entry = replace(entry, actor=actor)
        self._entries[settings.connector_id] = entry
        self._start(entry)
        return entry

    def _start(self, entry: Entry) -> None:
        if entry.actor is not None:
            with suppress(NotDrained):  # the service stops: it will start with the next one
                self._crew.add_nowait(entry.settings.connector_id, entry.actor)


@contextmanager
def _untorn() -> Iterator[None]:
    """What is being kept is kept whole, though its caller goes away; StorageUnavailable when it takes too long."""
    with trio.move_on_after(KEEPING_SECONDS, shield=True) as keeping:
        yield
    if keeping.cancelled_caught:
        raise StorageUnavailable(f"PostgreSQL took no change within {KEEPING_SECONDS:g} s")
