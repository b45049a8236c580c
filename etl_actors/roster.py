"""Who is on: every connector, where it is written, and the actor that runs it; and how that changes while we run.

A change takes effect at once and alone: a new connector starts; a changed one is drained under its old mapping, kept,
and started under the new one; a deleted one is drained, then forgotten. If any step fails, the connector runs on as it
was. What is written in config files is read-only for callers; what the files say anew comes by :meth:`Roster.rewrite`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
import trio
from msgspec.structs import replace

from .crew import Crew
from .errors import (
    ConfigError,
    ConnectorExists,
    ConnectorFromFile,
    ConnectorGone,
    NotDrained,
    VersionPassed,
)
from .factory import ActorFactory
from .roster_entry import Definition, Entry, kept_entry
from .roster_keeping import Keeper, untorn
from .roster_request import checked, requested, with_places_as_said
from .roster_turns import Turns
from .settings import ConnectorSettings
from .settings.original_names import draft_names
from .transforms.mapping import Mapping as ItemMapping

log = structlog.get_logger("roster")


class Roster:
    """Every connector by id. ``refuse_target(url)`` says why a REST caller may not have this address asked."""

    def __init__(
        self,
        factory: ActorFactory,
        crew: Crew,
        keeper: Keeper,
        *,
        entries: Iterable[Entry],
        refuse_target: Callable[[str], str | None],
        forget: Callable[[str], None],
        drain_seconds: float,
    ) -> None:
        self._factory = factory
        self._crew = crew
        self._keeper = keeper
        self._entries = {entry.settings.connector_id: entry for entry in entries}
        self._refuse_target = refuse_target
        self._forget = forget
        self._drain_seconds = drain_seconds
        self._turns = Turns()

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Everybody, by id: first those from files, then those made over REST, oldest first."""
        return self._entries

    def lose_nowait(self, epochs: Mapping[str, int]) -> None:
        """Somebody else has claimed these connectors, which we read under these epochs: our actors end, and say why.

        One that has claimed a newer epoch did not lose it.
        """
        for connector_id, epoch in epochs.items():
            entry = self._entries.get(connector_id)
            if entry is not None and entry.actor is not None and entry.actor.epoch == epoch:
                entry.actor.part_nowait(
                    "another service on this database reads it now; a trigger or resume takes it back"
                )
                self._crew.drop_nowait([connector_id])

    def take_back_nowait(self, connector_id: str) -> None:
        """Claim a connector anew that was lost; nothing while its actor runs. NotDrained when the service stops."""
        entry = self._entries.get(connector_id)
        if entry is not None and entry.actor is not None and not self._crew.has(connector_id):
            self._crew.add_nowait(connector_id, entry.actor)

    def look_again_nowait(self, connector_id: str) -> None:
        """What is known of a connector's answers has changed."""
        entry = self._entries.get(connector_id)
        if entry is not None and entry.actor is not None:
            entry.actor.look_again_nowait()

    async def create(self, document: Mapping[str, Any]) -> Entry:
        """A new connector, kept and running. ConfigError, ConnectorExists, StorageUnavailable."""
        self._refuse_taken(draft_names(document)[0].get("connector_id"))
        settings, mapping = await self._checked(document, None)
        connector_id = settings.connector_id
        async with self._turns.of(connector_id):
            await self._catch_up(connector_id)
            self._refuse_taken(connector_id)
            with untorn():
                entry = self._put(settings, mapping, await self._keeper.create(settings))
        await self._crew.wait_begun(connector_id)
        log.info("connector.created", connector_id=connector_id)
        return entry

    async def replace(self, connector_id: str, document: Mapping[str, Any], *, etags: Collection[str] | None) -> Entry:
        """The connector as ``document`` says, and nothing of what it was; ``etags`` are those it may be changed under.

        Raises what :meth:`create` does, ConnectorGone, ConnectorFromFile, VersionPassed and NotDrained.
        """
        async with self._turns.of(connector_id):
            entry = await self._changeable(connector_id, etags)
            settings, mapping = await self._checked(document, entry)
            if settings == entry.settings and entry.trouble is None:
                return entry
            async with self._drained(entry):
                kept = await self._keeper.replace(settings, version=entry.version)
                paused = entry.actor is not None and entry.actor.paused
                # What was counted of the old one, and what was wrong with it, is not the new one's.
                self._forget(connector_id)
                replaced = self._put(settings, mapping, kept, paused=paused)
        await self._crew.wait_begun(connector_id)
        log.info("connector.replaced", connector_id=connector_id)
        return replaced

    async def delete(self, connector_id: str, *, etags: Collection[str] | None) -> None:
        """No more of it, once what it read is stored. ConnectorGone, ConnectorFromFile, VersionPassed, NotDrained."""
        async with self._turns.of(connector_id):
            entry = await self._changeable(connector_id, etags)
            if entry.actor is not None:
                entry.actor.part_nowait("it is deleted")
            async with self._drained(entry):
                await self._keeper.delete(connector_id, version=entry.version)
                self._drop(connector_id)
        log.info("connector.deleted", connector_id=connector_id)

    async def rewrite(self, connector_id: str, written: Entry | None, mapping: ItemMapping | None = None) -> None:
        """What the config files say of a connector from now on, None for nothing any more.

        Raises ConnectorExists where somebody made one of that id over REST, and NotDrained.
        """
        async with self._turns.of(connector_id):
            entry = self._entries.get(connector_id)
            if entry is not None and entry.file is None:
                raise ConnectorExists(connector_id)
            if entry is None:
                if written is not None and mapping is not None:
                    self._write(written, mapping)
            elif written is not None and written.settings == entry.settings:
                self._entries[connector_id] = replace(entry, file=written.file)  # moved to another file, and runs on
            else:
                if written is None and entry.actor is not None:
                    entry.actor.part_nowait("no config file names it any more")
                async with self._drained(entry):
                    paused = entry.actor is not None and entry.actor.paused
                    if written is not None and mapping is not None:
                        self._forget(connector_id)
                        self._write(written, mapping, paused=paused)
                    else:
                        self._drop(connector_id)
        await self._crew.wait_begun(connector_id)

    async def renew(self, connector_id: str) -> None:
        """Look again whether a kept connector in trouble is usable: the files say something else by now.

        Raises StorageUnavailable.
        """
        async with self._turns.of(connector_id):
            entry = self._entries.get(connector_id)
            if entry is None or entry.file is not None or entry.trouble is None:
                return
            kept = await self._keeper.opened(connector_id)
            if kept is not None:
                self._adopt(usable(kept, self._factory), self._factory.mappings.get(connector_id))

    def _write(self, written: Entry, mapping: ItemMapping, *, paused: bool = False) -> None:
        self._factory.mappings[written.settings.connector_id] = mapping
        self._adopt(written, mapping, paused=paused)

    def _refuse_taken(self, connector_id: Any) -> None:
        if isinstance(connector_id, str) and connector_id in self._entries:
            raise ConnectorExists(connector_id)

    async def _changeable(self, connector_id: str, etags: Collection[str] | None) -> Entry:
        await self._catch_up(connector_id)
        entry = self._entries.get(connector_id)
        if entry is None:
            raise ConnectorGone(connector_id)
        if entry.file is not None:
            raise ConnectorFromFile(connector_id, entry.file)
        if etags is not None and entry.etag not in etags:
            raise VersionPassed(connector_id)
        return entry

    async def _catch_up(self, connector_id: str) -> None:
        """Be as the database is, before anything is touched: the answer to an earlier change may have been lost, and
        another service may have made one. StorageUnavailable while that cannot be known.
        """
        entry = self._entries.get(connector_id)
        if entry is not None and entry.file is not None:
            return
        if await self._keeper.version(connector_id) == (entry.version if entry else None):
            return
        log.warning("connector.changed_elsewhere", connector_id=connector_id)
        if entry is not None:
            await self._crew.remove(connector_id, drain_seconds=self._drain_seconds)
            self._drop(connector_id)
        kept = await self._keeper.opened(connector_id)
        if kept is not None:
            self._adopt(usable(kept, self._factory), self._factory.mappings.get(connector_id))

    async def _checked(self, document: Mapping[str, Any], entry: Entry | None) -> tuple[ConnectorSettings, ItemMapping]:
        """The connector asked for, and its mapping; :class:`ConfigError` with everything that is wrong with it."""
        try:
            drafted = requested(document, entry)
            # Compiling takes a while, and must not keep others waiting.
            return await trio.to_thread.run_sync(checked, drafted, self._factory, self._refuse_target)
        except ConfigError as error:
            raise with_places_as_said(error, document) from None

    @asynccontextmanager
    async def _drained(self, entry: Entry) -> AsyncIterator[None]:
        """The connector is ended and what it read is stored; when the block fails it runs on as it was."""
        connector_id = entry.settings.connector_id
        try:
            await self._crew.remove(connector_id, drain_seconds=self._drain_seconds)
            with untorn():
                yield
        except BaseException:
            if self._entries.get(connector_id) is entry:
                self._start(entry)
            raise

    def _put(
        self, settings: ConnectorSettings, mapping: ItemMapping, kept: Definition, *, paused: bool = False
    ) -> Entry:
        self._factory.mappings[settings.connector_id] = mapping
        return self._adopt(kept_entry(settings, kept), mapping, paused=paused)

    def _adopt(self, entry: Entry, mapping: ItemMapping | None, *, paused: bool = False) -> Entry:
        if entry.runs and mapping is not None:
            actor = self._factory.connector(entry.settings, mapping, trusted=entry.file is not None)
            if paused:
                actor.pause_nowait()
            entry = replace(entry, actor=actor)
        self._entries[entry.settings.connector_id] = entry
        self._start(entry)
        return entry

    def _drop(self, connector_id: str) -> None:
        del self._entries[connector_id]
        self._factory.mappings.pop(connector_id, None)
        self._forget(connector_id)

    def _start(self, entry: Entry) -> None:
        if entry.actor is not None:
            with suppress(NotDrained):  # the service stops: it will start with the next one
                self._crew.add_nowait(entry.settings.connector_id, entry.actor)


def usable(entry: Entry, factory: ActorFactory) -> Entry:
    """``entry`` with its mapping in force, or with the trouble that this version or these files have with it."""
    trouble = factory.missing_limit(entry.settings)
    try:
        factory.mappings[entry.settings.connector_id] = factory.mapping(entry.settings)
    except ConfigError as error:
        trouble = str(error)
    return replace(entry, trouble=entry.trouble or trouble)
