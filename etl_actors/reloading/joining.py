"""Joins what reloads to what runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path

import trio

from ..compiling import Pairs
from ..factory import ActorFactory
from ..files.desk import FileDesk
from ..logs import configure_logs
from ..roster import Roster
from ..settings import Configuration, ConnectorSettings, ServiceSettings
from ..storage.opening import Storage
from ..supervisor import CONNECTORS, Supervised
from ..survey import Survey
from .applying import Applier
from .hangup import reload_on_hangup
from .live import LiveSettings
from .reloader import Reloader
from .symbols import SymbolTables
from .watching import watch


class StorageBooks:
    """What the database knows of connectors."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def get(self, connector_id: str) -> object | None:
        """What is kept of a connector that was made over REST."""
        return await self._storage.definitions.get(connector_id)

    async def register(self, connectors: tuple[ConnectorSettings, ...]) -> None:
        """They are about to be read."""
        await self._storage.claims.register(connectors)

    async def symbol_tables(self) -> Mapping[str, Pairs]:
        """The stored pairs of each source."""
        return await self._storage.reader.symbol_tables()


def make_reloader(
    folder: Path | None,
    environment: Mapping[str, str],
    configuration: Configuration,
    *,
    storage: Storage,
    files: FileDesk,
    roster: Roster,
    factory: ActorFactory,
    survey: Survey,
    stopping: Callable[[], bool],
) -> Reloader:
    """The reloader of a service that was started with ``configuration``, read from ``folder``."""

    def keep(service: ServiceSettings) -> None:
        storage.retention.change(service.retention)
        files.keep_for(service.retention.files_days)

    live = LiveSettings(
        configuration.service,
        {"retention": keep, "logging.debug": lambda service: configure_logs(debug=service.logging.debug)},
    )
    symbols = SymbolTables(configuration.symbols, factory, survey)
    applier = Applier(roster, factory, symbols, StorageBooks(storage), live)
    return Reloader(folder, environment, factory.tables, applier, stopping=stopping)


async def run_reloading(reloader: Reloader, signals: AsyncIterator[int], stop_nowait: Callable[[], None]) -> None:
    """Until cancelled: reload when the folder changes and on every SIGHUP. A crash of it must not end the service."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Supervised("reloader", CONNECTORS).run, reloader.run)
        nursery.start_soon(reload_on_hangup, signals, reloader.reload_nowait, stop_nowait)
        if reloader.folder is not None:
            watching = partial(watch, reloader.folder, reloader.look_nowait)
            nursery.start_soon(Supervised("watcher", CONNECTORS).run, watching)
