"""Opens what the service stands on: storage, and everything it has to know from there before an actor is made.

All that may fail for want of a database is here, so that it can be tried again as one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from msgspec import Struct

from .actors.doorkeeper import Doorkeeper
from .actors.surveyor import Pairs
from .doors import Doors
from .keeping import KeyChain, open_kept
from .roster_entry import Entry
from .settings import Configuration
from .storage.opening import Storage, open_storage


class Ground(Struct, frozen=True, kw_only=True):
    """The open storage, and what was found there; see ``assembly.assemble`` for the names."""

    storage: Storage
    keys: KeyChain
    kept: Sequence[Entry]
    stored_pairs: Mapping[str, Pairs]
    stream: UUID
    head: int
    doorkeeper: Doorkeeper


@asynccontextmanager
async def open_ground(
    configuration: Configuration,
    doors: Doors,
    *,
    data_dir: Path,
    environment: Mapping[str, str],
    progress: Callable[[str], None],
) -> AsyncIterator[Ground]:
    """For the length of the block.

    Raises :class:`~etl_actors.errors.StorageUnavailable` where trying again can help, else ``UsageError`` or
    ``ServiceFailed``.
    """
    settings = configuration.service
    async with open_storage(
        settings.database, settings.retention, configuration.connectors, data_dir=data_dir, progress=progress
    ) as storage:
        keys, kept = await open_kept(storage, configuration, data_dir, environment)
        stored = await storage.reader.symbol_tables()
        stream, head = await storage.reader.stream()
        doorkeeper = doors.doorkeeper(storage.keys)
        await doorkeeper.look()
        yield Ground(
            storage=storage,
            keys=keys,
            kept=kept,
            stored_pairs=stored,
            stream=stream,
            head=head,
            doorkeeper=doorkeeper,
        )
