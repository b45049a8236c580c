"""Makes the actors of a configuration and joins them: which source, which mapping, which limit belongs to whom.

Nothing runs here yet. What is made here is handed to the pipeline, which runs it, and to the status board, which
tells how it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

import trio
from msgspec import Struct
from msgspec.structs import replace

from .actors.broadcaster import Broadcaster, HandOutTimer
from .actors.floodgate import Floodgate
from .actors.janitor import Janitor
from .actors.loader import Loader
from .actors.loader_backlog import Backlog
from .actors.loader_commit import CommitTimer
from .actors.surveyor import Pairs, Surveyor
from .actors.transformer import Transformer, TransformTimer
from .compiling import Compiled
from .crew import Crew
from .extraction import Extractor
from .factory import ActorFactory, Clients
from .files.desk import FileDesk
from .ledger import Ledger
from .pipeline import Pipeline
from .postbox import Postbox
from .rejected_desk import RejectedDesk
from .replaying import Remapper
from .roster import Roster, usable
from .roster_entry import Entry, written_entries
from .roster_keeping import Keeper, Keys
from .settings import Configuration
from .side_door import SideDoor
from .sources.pacing import Limit
from .sources.targets import target_mistake
from .spool import Spool
from .storage.opening import Storage
from .survey import Survey
from .transforms.documents import encode_json
from .transforms.symbols import SymbolTable, shipped_snapshot

# First polls are spread, so that eight answers do not arrive in one instant; the page fills within two seconds all
# the same.
LONGEST_STAGGER_SECONDS = 0.25


class Timings(TransformTimer, CommitTimer, HandOutTimer, Protocol):
    """Keeps how long things take, and forgets what it knows of a connector that is gone."""

    def answered(self, connector_id: str, seconds: float, /) -> None: ...
    def forget(self, connector_id: str, /) -> None: ...


class Assembly(Struct, frozen=True, kw_only=True):
    """Every actor of one configuration, made and joined."""

    pipeline: Pipeline
    roster: Roster
    factory: ActorFactory
    survey: Survey
    extractor: Extractor
    postbox: Postbox
    rejected: RejectedDesk
    transformer: Transformer
    loader: Loader
    broadcaster: Broadcaster
    janitor: Janitor
    limits: Mapping[str, Limit]
    ledger: Ledger


def assemble(
    configuration: Configuration,
    storage: Storage,
    clients: Clients,
    keys: Keys,
    *,
    tables: dict[str, SymbolTable],
    compiled: Compiled,
    stored_pairs: Mapping[str, Pairs],
    kept: Sequence[Entry],
    stream: UUID,
    head: int,
    files: FileDesk,
    spool: Spool,
    timings: Timings,
) -> Assembly:
    """All actors, joined. ``tables`` are those that ``compiled`` holds; ``kept`` are the connectors made over REST;
    ``stream`` is whose history the log is, ``head`` where it ends now; batches wait for the database in ``spool``.
    """
    service = configuration.service
    ledger, backlog, floodgate = Ledger(), Backlog(spool), Floodgate()
    transformer = Transformer(
        compiled.mappings.__getitem__,
        encode_json,
        on_verdict=lambda connector_id: roster.look_again_nowait(connector_id),
        timer=timings,
    )
    factory = ActorFactory(
        configuration,
        storage,
        clients,
        ledger,
        tables=tables,
        mappings=compiled.mappings,
        unmapped=transformer.unmapped,
        backlog=backlog,
        floodgate=floodgate,
        on_answer=timings.answered,
    )
    entries = _with_actors([*written_entries(configuration), *kept], factory)
    surveyors: dict[str, Surveyor] = {
        source_id: factory.surveyor(
            source_id, settings, compiled.symbol_readers[source_id], stored_pairs.get(source_id, {})
        )
        for source_id, settings in configuration.symbols.items()
    }
    survey = Survey(surveyors, known=stored_pairs)
    broadcaster = Broadcaster(
        buffer_bytes=service.live.subscriber_buffer_bytes,
        stream=stream,
        head=head,
        history=storage.log,
        timer=timings,
    )
    janitor = Janitor(storage.retention, files)
    loader = Loader(
        storage.writer,
        max_batch_rows=service.loader.max_batch_rows,
        max_batch_age_seconds=service.loader.max_batch_age_seconds,
        on_epoch_lost=lambda lost: roster.lose_nowait(lost),
        ledger=ledger,
        backlog=backlog,
        floodgate=floodgate,
        timer=timings,
        encode=encode_json,
    )

    def first_answer(connector_id: str) -> trio.Event | None:
        entry = roster.entries.get(connector_id)
        return None if entry is None else survey.first_answer(entry.settings.source_id)

    crew = Crew(
        ledger,
        {entry.settings.connector_id: entry.actor for entry in entries if entry.actor is not None},
        symbols_of=first_answer,
    )
    side_door = SideDoor(ledger)
    pipeline = Pipeline(
        crew=crew,
        side_door=side_door,
        transformer=transformer,
        loader=loader,
        broadcaster=broadcaster,
        janitor=janitor,
        survey=survey,
    )

    def forget(connector_id: str) -> None:
        transformer.forget(connector_id)
        timings.forget(connector_id)

    refuse_target = _refuse_nothing if service.security.allow_private_targets else _refuse_private
    roster = Roster(
        factory,
        crew,
        Keeper(storage.definitions, keys),
        entries=entries,
        refuse_target=refuse_target,
        forget=forget,
        drain_seconds=service.server.drain_seconds,
    )
    extractor = Extractor(
        factory,
        side_door,
        known=lambda connector_id: entry.settings if (entry := roster.entries.get(connector_id)) else None,
        register=storage.definitions.note,
        refuse_target=refuse_target,
        storage_trouble=lambda: loader.statistics().last_error,
    )
    rejected = RejectedDesk(
        storage.rejected,
        Remapper(factory.read),
        side_door,
        entries=lambda: roster.entries,
        mappings=factory.mappings,
        storage_trouble=lambda: loader.statistics().last_error,
    )
    return Assembly(
        pipeline=pipeline,
        roster=roster,
        factory=factory,
        survey=survey,
        extractor=extractor,
        postbox=Postbox(side_door, lambda: loader.statistics().last_error),
        rejected=rejected,
        transformer=transformer,
        loader=loader,
        broadcaster=broadcaster,
        janitor=janitor,
        limits=factory.limits,
        ledger=ledger,
    )


def _with_actors(entries: Sequence[Entry], factory: ActorFactory) -> list[Entry]:
    """The entries with the actors that will run them; one whose mapping does not compile any more is in trouble."""
    made: list[Entry] = []
    running = sum(entry.runs for entry in entries)
    place = 0
    for entry in entries:
        settings = entry.settings
        if entry.file is None and settings.connector_id not in factory.mappings:
            entry = usable(entry, factory)
        if entry.runs:
            stagger = place * min(LONGEST_STAGGER_SECONDS, settings.interval_seconds / running)
            mapping, trusted = factory.mappings[settings.connector_id], entry.file is not None
            entry = replace(entry, actor=factory.connector(settings, mapping, trusted=trusted, stagger_seconds=stagger))
            place += 1
        made.append(entry)
    return made


def _refuse_nothing(url: str) -> None:
    return None


def _refuse_private(url: str) -> str | None:
    # A socket's address is judged like any other; which schemes a connector may have is not asked here.
    return target_mistake(url, schemes=("http", "https", "ws", "wss"))


def shipped_tables(configuration: Configuration) -> dict[str, SymbolTable]:
    """What each source's pairs are made of, as far as the shipped snapshots know."""
    return {source_id: SymbolTable(shipped_snapshot(source_id)) for source_id in configuration.symbols}


def use_stored_pairs(tables: Mapping[str, SymbolTable], stored: Mapping[str, Pairs]) -> None:
    """Put what a source said when it was last asked in the place of its snapshot."""
    for source_id, table in tables.items():
        if stored.get(source_id):
            table.replace(stored[source_id])
