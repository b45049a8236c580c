"""Applies a difference to what runs.

What needs the database comes first, so that a database that is away leaves everything as it was. Then everything that
connectors share (limits, symbol tables), then the connectors, each for itself: one that does not drain in time runs on
as it was, and the others do not wait for it. What nobody names any more goes last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import trio
from msgspec import Struct

from ..compiling import Compiled, Pairs
from ..errors import ConfigError, ConnectorChangeRefused, NotDrained, StorageUnavailable
from ..factory import ActorFactory
from ..roster import Roster
from ..roster_entry import Entry
from ..settings import Configuration, ConnectorSettings
from .checking import taken_ids
from .difference import Difference, Running, difference
from .limits import drop_limits, put_limits
from .live import LiveSettings
from .symbols import SymbolTables


class Books(Protocol):
    """What the database knows of connectors; everything raises StorageUnavailable."""

    async def get(self, connector_id: str) -> object | None: ...
    async def register(self, connectors: tuple[ConnectorSettings, ...]) -> None: ...
    async def symbol_tables(self) -> Mapping[str, Pairs]: ...


class Applied(Struct, frozen=True):
    """What was done, by kind, and why some connectors are still as they were."""

    done: dict[str, list[str]]
    undone: dict[str, str]


class Applier:
    """Makes the running service what a configuration says."""

    def __init__(
        self, roster: Roster, factory: ActorFactory, symbols: SymbolTables, books: Books, live: LiveSettings
    ) -> None:
        self._roster = roster
        self._factory = factory
        self._symbols = symbols
        self._books = books
        self.live = live

    def in_force(self) -> dict[str, Any]:
        """What a new configuration has to get along with, for the check."""
        entries = self._roster.entries.items()
        return {
            "made_over_rest": {name: entry.settings for name, entry in entries if entry.file is None},
            "limits": list(self._factory.limits),
        }

    async def apply(self, wanted: Configuration, compiled: Compiled) -> Applied:
        """Change what differs. Raises StorageUnavailable or ConfigError while nothing is changed yet."""
        entries = self._roster.entries
        limits = {name: limit.settings for name, limit in self._factory.limits.items()}
        change = difference(Running(entries=entries, limits=limits, symbols=self._symbols.settings), wanted)
        stored = await self._prepare(wanted, change)
        put_limits(change.limits_put, self._factory, entries.values())
        await self._symbols.put(change.symbols_put, compiled.symbol_readers, stored)
        undone: dict[str, str] = {}
        async with trio.open_nursery() as nursery:
            for name, entry in {**change.added, **change.changed, **change.moved}.items():
                nursery.start_soon(self._rewrite, undone, name, entry, compiled)
            for name in change.removed:
                nursery.start_soon(self._rewrite, undone, name, None, compiled)
        for name in [name for name, entry in entries.items() if entry.file is None and entry.trouble is not None]:
            await self._renew(undone, name)
        drop_limits(change.limits_removed, self._factory, entries.values())
        for source_id in change.symbols_removed:
            self._symbols.drop(source_id)
        done = change.names() | {"settings": self.live.apply(wanted.service)}
        return Applied({kind: names for kind, names in done.items() if names}, undone)

    async def _prepare(self, wanted: Configuration, change: Difference) -> Mapping[str, Pairs]:
        """What the database has to be told, and asked: the pairs it has of symbol tables that are new."""
        for name in change.added:
            if await self._books.get(name) is not None:  # another service made it, and we have not heard of it
                raise ConfigError(*taken_ids(wanted, [name]))
        written = {**change.added, **change.changed}
        if written:
            await self._books.register(tuple(entry.settings for entry in written.values()))
        return await self._books.symbol_tables() if change.symbols_put else {}

    async def _rewrite(self, undone: dict[str, str], name: str, entry: Entry | None, compiled: Compiled) -> None:
        try:
            await self._roster.rewrite(name, entry, compiled.mappings[name] if entry is not None else None)
        except (ConnectorChangeRefused, NotDrained) as error:
            undone[name] = str(error)

    async def _renew(self, undone: dict[str, str], name: str) -> None:
        """A kept connector may only wait for a limit to be declared."""
        try:
            await self._roster.renew(name)
        except StorageUnavailable as error:
            undone[name] = str(error)
