"""Makes the actors of a configuration and joins them: which source, which mapping, which limit belongs to whom.

Nothing runs here yet. What is made here is handed to the pipeline, which runs it, and to the status board, which
tells how it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx
from msgspec import Struct

from .actors.broadcaster import Broadcaster
from .actors.connector import ConnectorActor
from .actors.janitor import Janitor
from .actors.loader import Loader
from .actors.surveyor import Pairs, Surveyor
from .actors.transformer import Transformer
from .errors import ConfigError
from .files.desk import FileDesk
from .pipeline import Pipeline
from .settings import Configuration, ConnectorSettings, SymbolSettings
from .sources.backoff import Backoff
from .sources.pacing import Limit
from .sources.rest import RestSource
from .storage.opening import Storage
from .storage.symbols import store_symbols
from .transforms.documents import decode_document, encode_json
from .transforms.mapping import Mapping as ItemMapping
from .transforms.symbols import SymbolTable, shipped_snapshot, symbol_reader

# First polls are spread, so that eight answers do not arrive in one instant; the page fills within two seconds all
# the same.
LONGEST_STAGGER_SECONDS = 0.25


class Assembly(Struct, frozen=True, kw_only=True):
    """Every actor of one configuration, made and joined."""

    pipeline: Pipeline
    connectors: dict[str, ConnectorActor]
    transformer: Transformer
    loader: Loader
    broadcaster: Broadcaster
    janitor: Janitor
    surveyors: tuple[Surveyor, ...]


class Compiled(Struct, frozen=True):
    """Every expression of a configuration, compiled: how connectors map, and how symbol tables are read."""

    mappings: dict[str, ItemMapping]
    symbol_readers: dict[str, Callable[[Any], Pairs]]


def compile_expressions(configuration: Configuration, tables: dict[str, SymbolTable]) -> Compiled:
    """Compile everything; raises :class:`ConfigError` with every expression that is wrong.

    The mappings hold ``tables``, by source; tables that are missing are made, empty.
    """
    compiled = Compiled({}, {})
    mistakes: list[tuple[str, str, str]] = []
    for one in configuration.connectors:
        file, place = configuration.origin.get(one.connector_id, ("", one.connector_id))
        table = tables.setdefault(one.source_id, SymbolTable())
        try:
            compiled.mappings[one.connector_id] = ItemMapping(one, table, file=file)
        except ConfigError as error:
            # The mapping knows its connector by id; the file knows it by place.
            mistakes.extend((file, place + path.removeprefix(one.connector_id), why) for _, path, why in error.mistakes)
    for source_id, settings in configuration.symbols.items():
        file, _ = configuration.symbol_origin.get(source_id, ("", ""))
        try:
            compiled.symbol_readers[source_id] = symbol_reader(settings, source_id=source_id, file=file)
        except ConfigError as error:
            mistakes.extend(error.mistakes)
    if mistakes:
        raise ConfigError(*mistakes)
    return compiled


def assemble(
    configuration: Configuration,
    storage: Storage,
    client: httpx.AsyncClient,
    *,
    tables: dict[str, SymbolTable],
    compiled: Compiled,
    stored_pairs: Mapping[str, Pairs],
    head: int,
    files: FileDesk,
) -> Assembly:
    """All actors, joined. ``tables`` are those that ``compiled`` holds; ``head`` is where the log ends now."""
    service = configuration.service
    limits = {name: Limit(settings) for name, settings in configuration.limits.items()}
    decode = partial(decode_document, max_depth=service.upstream.max_depth)
    enabled = [one for one in configuration.connectors if one.enabled and one.kind == "rest"]
    connectors = {
        one.connector_id: ConnectorActor(
            one,
            _source(one, client, configuration, limits),
            decode=decode,
            claim=storage.claims.claim,
            backoff=Backoff(),
            inspector=compiled.mappings[one.connector_id],
            limit=limits.get(one.limit) if one.limit else None,
            grace_seconds=service.server.drain_seconds / 2,
            stagger_seconds=place * min(LONGEST_STAGGER_SECONDS, one.interval_seconds / len(enabled)),
        )
        for place, one in enumerate(enabled)
    }
    surveyors = {
        source_id: _surveyor(
            source_id, settings, configuration, client, storage, limits, tables, compiled, stored_pairs
        )
        for source_id, settings in configuration.symbols.items()
    }
    waiting_for = {
        one.connector_id: surveyors[one.source_id]
        for one in enabled
        if one.source_id in surveyors and one.source_id not in stored_pairs
    }
    transformer = Transformer(compiled.mappings.__getitem__, encode_json)
    broadcaster = Broadcaster(buffer_bytes=service.live.subscriber_buffer_bytes, head=head)
    janitor = Janitor(storage.retention, files)
    loader = Loader(
        storage.writer,
        max_batch_rows=service.loader.max_batch_rows,
        max_batch_age_seconds=service.loader.max_batch_age_seconds,
        on_epoch_lost=lambda lost: pipeline.drop_connectors_nowait(lost),
    )
    pipeline = Pipeline(
        connectors=connectors,
        transformer=transformer,
        loader=loader,
        broadcaster=broadcaster,
        janitor=janitor,
        surveyors=surveyors.values(),
        surveyor_of=waiting_for.get,
    )
    return Assembly(
        pipeline=pipeline,
        connectors=connectors,
        transformer=transformer,
        loader=loader,
        broadcaster=broadcaster,
        janitor=janitor,
        surveyors=tuple(surveyors.values()),
    )


def shipped_tables(configuration: Configuration) -> dict[str, SymbolTable]:
    """What each source's pairs are made of, as far as the shipped snapshots know."""
    return {source_id: SymbolTable(shipped_snapshot(source_id)) for source_id in configuration.symbols}


def use_stored_pairs(tables: Mapping[str, SymbolTable], stored: Mapping[str, Pairs]) -> None:
    """Put what a source said when it was last asked in the place of its snapshot."""
    for source_id, table in tables.items():
        if stored.get(source_id):
            table.replace(stored[source_id])


def _source(
    connector: ConnectorSettings, client: httpx.AsyncClient, configuration: Configuration, limits: dict[str, Limit]
) -> RestSource:
    observe = limits[connector.limit].observe if connector.limit else None
    return RestSource(connector, client, configuration.service.upstream, observe=observe)


def _surveyor(
    source_id: str,
    settings: SymbolSettings,
    configuration: Configuration,
    client: httpx.AsyncClient,
    storage: Storage,
    limits: dict[str, Limit],
    tables: dict[str, SymbolTable],
    compiled: Compiled,
    stored_pairs: Mapping[str, Pairs],
) -> Surveyor:
    """A symbol table is read like a connector that nobody sees."""
    asking = ConnectorSettings(
        connector_id=f"symbols.{source_id}",
        url=settings.url,
        params=settings.params,
        timeout_seconds=settings.timeout_seconds,
        limit=settings.limit,
        store="changed",
    )

    def read(body: bytes) -> Pairs:
        document = decode_document(body, max_depth=configuration.service.upstream.max_depth)
        return compiled.symbol_readers[source_id](document)

    async def admit() -> None:
        if settings.limit:
            await limits[settings.limit].admit(settings.cost)

    return Surveyor(
        source_id,
        _source(asking, client, configuration, limits),
        read=read,
        publish=tables[source_id].replace,
        store=partial(store_symbols, storage.writers, source_id),
        admit=admit,
        refresh_seconds=settings.refresh_seconds,
        fingerprint=asking.fingerprint(),
        known_pairs=len(stored_pairs.get(source_id, {})),
    )
