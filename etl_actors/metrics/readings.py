"""What is asked when somebody scrapes, and what the rooms answer: statistics of one moment, each frozen.

Everything is asked on trio's thread. With very many connectors that takes a while, so others get their turn in between.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import trio
from msgspec import Struct

from ..actors.broadcaster import Broadcaster, BroadcasterStatistics
from ..actors.connector_status import ConnectorStatistics, State
from ..actors.janitor import Janitor, JanitorStatistics
from ..actors.loader import Loader, LoaderStatistics
from ..actors.surveyor import Surveyor, SurveyorStatistics
from ..actors.transformer import Transformer, TransformerStatistics
from ..files.desk import DeskStatistics, FileDesk
from ..ledger import Ledger
from ..pipeline import Pipeline
from ..roster_entry import Entry, shown_state
from ..settings import ServiceSettings
from ..sources.pacing import Limit, LimitStatistics
from ..spool import Spool, SpoolStatistics
from ..storage.opening import Storage
from ..storage.pool import PoolStatistics
from ..supervisor import ActorStatistics

SLICE_SECONDS = 0.005


class Roster(Protocol):
    """Who is on now."""

    @property
    def entries(self) -> Mapping[str, Entry]: ...


class ConnectorReading(Struct, frozen=True):
    """One connector; one that does not run has no ``statistics``."""

    connector_id: str
    state: State
    statistics: ConnectorStatistics | None


class Readings(Struct, frozen=True, kw_only=True):
    """Everything, as it was when it was asked."""

    ready: bool
    database_up: bool
    connectors: Sequence[ConnectorReading]
    transformer: TransformerStatistics
    loader: LoaderStatistics
    broadcaster: BroadcasterStatistics
    janitor: JanitorStatistics
    surveyors: Mapping[str, SurveyorStatistics]
    actors: Sequence[ActorStatistics]
    channels: Mapping[str, Mapping[str, float]]
    limits: Mapping[str, LimitStatistics]
    pools: Mapping[str, PoolStatistics]
    partitions: Mapping[str, int]
    files: DeskStatistics
    spool: SpoolStatistics
    large_bytes: int


class Sources(Struct, frozen=True, kw_only=True):
    """Who is asked. ``not_ready`` and ``database_trouble`` are as the status routes tell them."""

    settings: ServiceSettings
    roster: Roster
    pipeline: Pipeline
    transformer: Transformer
    loader: Loader
    broadcaster: Broadcaster
    janitor: Janitor
    surveyors: Collection[Surveyor]
    limits: Mapping[str, Limit]
    storage: Storage
    spool: Spool
    files: FileDesk
    ledger: Ledger
    not_ready: Callable[[], Sequence[str]]
    database_trouble: Callable[[], str | None]

    async def read(self) -> Readings:
        """Ask everybody."""
        return Readings(
            connectors=await self._connectors(),
            ready=not self.not_ready(),
            database_up=self.database_trouble() is None,
            transformer=self.transformer.statistics(),
            loader=self.loader.statistics(),
            broadcaster=self.broadcaster.statistics(),
            janitor=self.janitor.statistics(),
            surveyors={one.source_id: one.statistics() for one in self.surveyors},
            actors=self.pipeline.actors(),
            channels=self.pipeline.channel_fill(),
            limits={name: limit.statistics() for name, limit in self.limits.items()},
            pools={name: pool.statistics() for name, pool in self.storage.pools.items()},
            partitions=self.storage.partitions.counts(),
            files=self.files.statistics(),
            spool=self.spool.statistics(),
            large_bytes=self.ledger.large_bytes,
        )

    async def _connectors(self) -> list[ConnectorReading]:
        read: list[ConnectorReading] = []
        await trio.lowlevel.checkpoint()
        slice_end = trio.current_time() + SLICE_SECONDS
        for connector_id, entry in list(self.roster.entries.items()):
            statistics = None if entry.actor is None else entry.actor.statistics()
            unmapped = self.transformer.unmapped(connector_id) is not None
            state = shown_state(entry, None if statistics is None else statistics.state, unmapped=unmapped)
            read.append(ConnectorReading(connector_id, state, statistics))
            if trio.current_time() > slice_end:
                await trio.lowlevel.checkpoint()
                slice_end = trio.current_time() + SLICE_SECONDS
        return read
