"""Opens what the service stands on: storage, the spool, and everything it has to know before an actor is made.

All that may fail for want of a database is here, so that it can be tried again as one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID

import trio
from msgspec import Struct

from .actors.doorkeeper import Doorkeeper
from .actors.surveyor import Pairs
from .doors import Doors
from .errors import ServiceFailed, SpoolFull, SpoolUnavailable
from .keeping import KeyChain, open_kept
from .roster_entry import Entry
from .settings import Configuration, ServiceSettings
from .spool import Spool, open_spool
from .storage.embedded.folder_lock import hold_folder
from .storage.opening import Storage, open_storage


class Ground(Struct, frozen=True, kw_only=True):
    """The open storage and spool, and what was found there; see ``assembly.assemble`` for the names."""

    storage: Storage
    spool: Spool
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
    async with (
        open_storage(
            settings.database, settings.retention, configuration.connectors, data_dir=data_dir, progress=progress
        ) as storage,
        _open_spool(settings, data_dir) as spool,
    ):
        keys, kept = await open_kept(storage, configuration, data_dir, environment)
        stored = await storage.reader.symbol_tables()
        stream, head = await storage.reader.stream()
        doorkeeper = doors.doorkeeper(storage.keys)
        await doorkeeper.look()
        yield Ground(
            storage=storage,
            spool=spool,
            keys=keys,
            kept=kept,
            stored_pairs=stored,
            stream=stream,
            head=head,
            doorkeeper=doorkeeper,
        )


@asynccontextmanager
async def _open_spool(settings: ServiceSettings, data_dir: Path) -> AsyncIterator[Spool]:
    async with AsyncExitStack() as stack:
        if settings.database.url:
            # With a server of its own the folder is held already.
            await trio.Path(data_dir).mkdir(parents=True, exist_ok=True)
            await stack.enter_async_context(hold_folder(data_dir))
        try:
            spool = await stack.enter_async_context(open_spool(data_dir, max_bytes=settings.spool.max_bytes))
        except (SpoolFull, SpoolUnavailable) as error:
            raise ServiceFailed(f"the data folder {data_dir}: {error}") from error
        yield spool
