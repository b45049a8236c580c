"""Makes the actors that read providers: the connector of these settings, the surveyor of that symbol table.

The factory holds what they share (the HTTP clients, the limits, the symbol tables, the checkpoints' storage), so that a
connector can be made at any time: at start from files and from what is kept, later because somebody asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx
import trio
from msgspec import Struct

from .actors.beside import beside
from .actors.connector import ConnectorActor
from .actors.connector_needs import Claiming, Unlimited
from .actors.floodgate import Floodgate
from .actors.loader_backlog import Backlog
from .actors.order_books import MAX_BOOKS, OrderBooks
from .actors.socket_connector import SocketConnectorActor
from .actors.socket_sequence import Numbers
from .actors.surveyor import Pairs, Surveyor
from .damage import Damage
from .errors import ConfigError, PayloadRefused, PayloadTooLarge, StorageUnavailable
from .ledger import Ledger
from .messages import Claim
from .settings import Configuration, ConnectorSettings, SymbolSettings
from .sources.backoff import Backoff
from .sources.guard import AddressGuard
from .sources.pacing import Limit
from .sources.rest import RestSource
from .sources.snapshots import SnapshotSource
from .sources.websocket import WebSocketSource
from .sources.websocket_dial import Dialler
from .storage.opening import Storage
from .storage.symbols import store_symbols
from .transforms.damage import mended_document
from .transforms.documents import decode_document
from .transforms.mapping import Mapping as ItemMapping
from .transforms.market import Market
from .transforms.sequence import SequenceCheck
from .transforms.symbols import SymbolTable


class Clients(Struct, frozen=True):
    """Who asks providers: ``trusted`` for what config files name, ``guarded`` on behalf of REST callers."""

    trusted: httpx.AsyncClient
    guarded: httpx.AsyncClient


class ActorFactory:
    """Makes actors of one configuration. ``mappings`` holds the mapping in force of every connector, by id; ``limits``
    and ``tables`` are those that the config files declare now, shared by all that was made;
    ``unmapped(connector_id)`` says why nothing of its newest answer could be mapped, and
    ``on_answer(connector_id, seconds)`` is told how long each answer took; ``backlog`` is what waits on disk to be
    loaded, and at ``floodgate`` connectors wait before they read.
    """

    def __init__(
        self,
        configuration: Configuration,
        storage: Storage,
        clients: Clients,
        ledger: Ledger,
        *,
        tables: dict[str, SymbolTable],
        mappings: dict[str, ItemMapping],
        unmapped: Callable[[str], str | None] = lambda connector_id: None,
        backlog: Backlog | None = None,
        floodgate: Floodgate | None = None,
        on_answer: Callable[[str, float], None] = lambda connector_id, seconds: None,
    ) -> None:
        self._backlog = backlog
        self._floodgate = floodgate
        self._configuration = configuration
        self._storage = storage
        self._clients = clients
        self._ledger = ledger
        self.tables = tables
        self.limits = {name: Limit(settings) for name, settings in configuration.limits.items()}
        private = configuration.service.security.allow_private_targets
        self._trusted_dialler = Dialler()
        self._guarded_dialler = self._trusted_dialler if private else Dialler(AddressGuard())
        self.mappings = mappings
        self.unmapped = unmapped
        self._on_answer = on_answer
        upstream = configuration.service.upstream
        self.decode = partial(decode_document, max_depth=upstream.max_depth, max_values=upstream.max_values)
        self._mend = partial(mended_document, max_depth=upstream.max_depth, max_values=upstream.max_values)

    async def read(self, body: bytes) -> tuple[Any, Damage | None]:
        """The document in ``body``, and what of it cannot be kept; PayloadRefused where it is none at all."""
        try:
            return await beside(body, self.decode), None
        except PayloadTooLarge:
            raise
        except PayloadRefused:
            # Much slower, whatever its size, and once in a while.
            found = await trio.to_thread.run_sync(self._mend, body)
            if found is None:
                raise
            return found

    def mapping(self, connector: ConnectorSettings) -> ItemMapping:
        """The mapping of ``connector``, compiled; :class:`ConfigError` names every expression that is wrong."""
        # Only the config files declare tables; that of another source is empty, until a file does.
        table = self.tables.setdefault(connector.source_id, SymbolTable())
        try:
            return ItemMapping(connector, table)
        except ConfigError as error:
            place = connector.connector_id + "."
            raise ConfigError(*((file, path.removeprefix(place), why) for file, path, why in error.mistakes)) from None

    def missing_limit(self, connector: ConnectorSettings) -> str | None:
        """Why a limit that ``connector`` names cannot be, if it cannot."""
        snapshot = None if connector.sequence is None else connector.sequence.snapshot
        for limit in (connector.limit, None if snapshot is None else snapshot.limit):
            if limit is not None and limit not in self.limits:
                known = ", ".join(sorted(self.limits)) or "none"
                return f"no config file declares [limits.{limit}]; known: {known}"
        return None

    def connector(
        self, connector: ConnectorSettings, mapping: ItemMapping, *, trusted: bool, stagger_seconds: float = 0.0
    ) -> ConnectorActor | SocketConnectorActor:
        """The actor that polls ``connector``, or follows it."""
        grace_seconds = self._configuration.service.server.drain_seconds
        if connector.kind == "websocket":
            return SocketConnectorActor(
                connector,
                self.socket_source(connector, trusted=trusted),
                mapping,
                read=self.read,
                claim=self._claim_for(connector),
                backoff=Backoff(),
                limit=self._limit(connector),
                ledger=self._ledger,
                floodgate=self._floodgate,
                grace_seconds=grace_seconds,
                stagger_seconds=stagger_seconds,
                numbers=Numbers(
                    self.sequence_check(connector, mapping), self.order_books(connector, mapping, trusted=trusted)
                ),
                # Streams mix frames that can be mapped with others: the newest one says nothing of them all.
            )
        return ConnectorActor(
            connector,
            self.source(connector, trusted=trusted),
            read=self.read,
            claim=self._claim_for(connector),
            backoff=Backoff(),
            inspector=mapping,
            limit=self._limit(connector),
            ledger=self._ledger,
            floodgate=self._floodgate,
            grace_seconds=grace_seconds,
            stagger_seconds=stagger_seconds,
            unmapped=self.unmapped,
            on_answer=self._on_answer,
        )

    def _claim_for(self, connector: ConnectorSettings) -> Claiming:
        """How it is claimed. One that goes on where it was has to know that first, and part of it may wait on disk."""

        async def claim(connector_id: str) -> Claim:
            if goes_on and self._backlog is not None and self._backlog.is_waiting:
                raise StorageUnavailable("what was read before waits on disk, and is loaded first")
            return await self._storage.claims.claim(connector_id)

        goes_on = connector.cursor is not None or connector.sequence is not None
        return claim

    def socket_source(self, connector: ConnectorSettings, *, trusted: bool) -> WebSocketSource:
        """What follows the provider."""
        limit = self._limit(connector)
        return WebSocketSource(
            connector,
            self._clients.trusted if trusted else self._clients.guarded,
            self._trusted_dialler if trusted else self._guarded_dialler,
            self._configuration.service.upstream,
            observe=limit.observe if limit else None,
        )

    def source(self, connector: ConnectorSettings, *, trusted: bool) -> RestSource:
        """What asks the provider."""
        limit = self._limit(connector)
        return RestSource(
            connector,
            self._clients.trusted if trusted else self._clients.guarded,
            self._configuration.service.upstream,
            observe=limit.observe if limit else None,
        )

    def _limit(self, connector: ConnectorSettings) -> Limit | None:
        return self.limits.get(connector.limit) if connector.limit else None

    def sequence_check(self, connector: ConnectorSettings, mapping: ItemMapping) -> SequenceCheck | None:
        """What sees gaps in the frames of ``connector``, if they are numbered."""
        sequence = connector.sequence
        if sequence is None or mapping.sequence is None:
            return None
        return SequenceCheck(mapping.sequence, max_keys=sequence.max_keys, per_connection=sequence.per_connection)

    def order_books(self, connector: ConnectorSettings, mapping: ItemMapping, *, trusted: bool) -> OrderBooks | None:
        """What keeps the order books of ``connector``, if its frames change some."""
        sequence = connector.sequence
        if sequence is None or sequence.snapshot is None or mapping.sequence is None:
            return None
        limit = self.limits.get(sequence.snapshot.limit or connector.limit or "")
        source = SnapshotSource(
            connector.connector_id,
            sequence.snapshot,
            self._clients.trusted if trusted else self._clients.guarded,
            self._configuration.service.upstream,
            observe=limit.observe if limit else None,
        )
        return OrderBooks(
            connector.connector_id,
            Market(sequence, mapping.sequence, self.decode),
            fetch=source.fetch,
            limit=limit or Unlimited(),
            cost=sequence.snapshot.cost,
            backoff=Backoff(),
            max_books=min(MAX_BOOKS, sequence.max_keys),
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
                await self.limits[settings.limit].admit(settings.cost)

        return Surveyor(
            source_id,
            self.source(asking, trusted=True),
            read=lambda body: read(self.decode(body)),
            publish=self.tables[source_id].replace,
            store=partial(store_symbols, self._storage.writers, source_id),
            admit=admit,
            refresh_seconds=settings.refresh_seconds,
            fingerprint=asking.fingerprint(),
            known_pairs=len(known),
        )
