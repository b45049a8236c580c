"""Makes the actors that read providers: the connector of these settings, the surveyor of that symbol table.

The factory holds what they share (the HTTP clients, the limits, the symbol tables, the checkpoints' storage), so that a
connector can be made at any time: at start from files and from what is kept, later because somebody asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx
from msgspec import Struct

from .actors.connector import ConnectorActor
from .actors.surveyor import Pairs, Surveyor
from .errors import ConfigError
from .ledger import Ledger
from .settings import Configuration, ConnectorSettings, SymbolSettings
from .sources.backoff import Backoff
from .sources.pacing import Limit
from .sources.rest import RestSource
from .storage.opening import Storage
from .storage.symbols import store_symbols
from .transforms.documents import decode_document
from .transforms.mapping import Mapping as ItemMapping
from .transforms.symbols import SymbolTable


class Clients(Struct, frozen=True):
    """Who asks providers: ``trusted`` for what config files name, ``guarded`` on behalf of REST callers."""

    trusted: httpx.AsyncClient
    guarded: httpx.AsyncClient


class ActorFactory:
    """Makes actors of one configuration. ``mappings`` holds the mapping in force of every connector, by id."""

    def __init__(
        self,
        configuration: Configuration,
        storage: Storage,
        clients: Clients,
        ledger: Ledger,
        *,
        tables: dict[str, SymbolTable],
        mappings: dict[str, ItemMapping],
    ) -> None:
        self._configuration = configuration
        self._storage = storage
        self._clients = clients
        self._ledger = ledger
        self._tables = tables
        self._limits = {name: Limit(settings) for name, settings in configuration.limits.items()}
        self.mappings = mappings
        self.decode = partial(decode_document, max_depth=configuration.service.upstream.max_depth)

    def mapping(self, connector: ConnectorSettings) -> ItemMapping:
        """The mapping of ``connector``, compiled; :class:`ConfigError` names every expression that is wrong."""
        # Only the config files declare tables; a connector of another source has none.
        table = self._tables.get(connector.source_id) or SymbolTable()
        try:
            return ItemMapping(connector, table)
        except ConfigError as error:
            place = connector.connector_id + "."
            raise ConfigError(*((file, path.removeprefix(place), why) for file, path, why in error.mistakes)) from None

    def missing_limit(self, connector: ConnectorSettings) -> str | None:
        """Why ``connector.limit`` cannot be, if it cannot."""
        if connector.limit is None or connector.limit in self._limits:
            return None
        known = ", ".join(sorted(self._limits)) or "none"
        return f"no config file declares [limits.{connector.limit}]; known: {known}"

    def connector(
        self, connector: ConnectorSettings, mapping: ItemMapping, *, trusted: bool, stagger_seconds: float = 0.0
    ) -> ConnectorActor:
        """The actor that polls ``connector``."""
        return ConnectorActor(
            connector,
            self.source(connector, trusted=trusted),
            decode=self.decode,
            claim=self._storage.claims.claim,
            backoff=Backoff(),
            inspector=mapping,
            limit=self._limits.get(connector.limit) if connector.limit else None,
            ledger=self._ledger,
            grace_seconds=self._configuration.service.server.drain_seconds / 2,
            stagger_seconds=stagger_seconds,
        )

    def source(self, connector: ConnectorSettings, *, trusted: bool) -> RestSource:
        """What asks the provider."""
        limit = self._limits.get(connector.limit) if connector.limit else None
        return RestSource(
            connector,
            self._clients.trusted if trusted else self._clients.guarded,
            self._configuration.service.upstream,
            observe=limit.observe if limit else None,
        )

    def surveyor(
        self, source_id: str, settings: SymbolSettings, read: Callable[[Any], Pairs], known: Mapping[str, Any]
    ) -> Surveyor:
        """The actor that keeps a symbol table fresh. A table is read like a connector that nobody sees."""
        asking = ConnectorSettings(
            connector_id=f"symbols.{source_id}",
            url=settings.url,
            params=settings.params,
            timeout_seconds=settings.timeout_seconds,
            limit=settings.limit,
            store="changed",
        )

        async def admit() -> None:
            if settings.limit:
                await self._limits[settings.limit].admit(settings.cost)

        return Surveyor(
            source_id,
            self.source(asking, trusted=True),
            read=lambda body: read(self.decode(body)),
            publish=self._tables[source_id].replace,
            store=partial(store_symbols, self._storage.writers, source_id),
            admit=admit,
            refresh_seconds=settings.refresh_seconds,
            fingerprint=asking.fingerprint(),
            known_pairs=len(known),
        )
