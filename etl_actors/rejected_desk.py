"""Where rejected payloads are looked at, replayed and dropped.

A replay goes the way of everything else: mapped, handed to the loader, committed with its place in the log, sent to
subscribers. The rejected row goes in that very commit, so whatever happens in between, it is stored once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import structlog
import trio
from msgspec import Struct
from msgspec.structs import replace

from .errors import EtlActorsError, PayloadRefused, RejectedGone, ReplayRefused, StorageUnavailable
from .messages import Event, StoredRejected, Transformed
from .paging import Key, Page
from .replaying import Remapper
from .roster_entry import Entry
from .side_door import SideDoor
from .transforms.mapping import Mapping as ItemMapping

log = structlog.get_logger("rejected")

STORED_SECONDS = 15.0
# How much of a backlog is in memory at once, and for how long one call may work on it before it says how far it came.
SLICE_ROWS = 500
SLICE_BYTES = 4_194_304
BULK_SECONDS = 20.0
DROP_ROWS = 10_000
REASONS_TOLD = 5


class Book(Protocol):
    """Where they are kept. Every call may raise StorageUnavailable."""

    async def page(self, page: Page) -> Any: ...
    async def one(self, rejected_id: int) -> StoredRejected | None: ...
    async def raw(self, one: StoredRejected, *, first: int = 0, size: int) -> bytes: ...
    def raw_slices(self, one: StoredRejected) -> AsyncGenerator[bytes, None]: ...
    async def newest_id(self) -> int: ...
    async def whole(self, page: Page, *, newest_id: int, max_bytes: int) -> Sequence[tuple[StoredRejected, bytes]]: ...
    async def drop(self, rejected_id: int) -> bool: ...
    async def drop_some(self, page: Page) -> int: ...
    def is_past(self, received_at: Any) -> bool: ...


class Replayed(Struct, frozen=True, kw_only=True):
    """What was stored in the place of a rejected payload; without an event, the mapping of today leaves it out."""

    connector_id: str
    items: int = 0
    rejected: int = 0
    stream_offset: int | None = None
    event_id: UUID | None = None


class ReplayedSome(Struct, frozen=True, kw_only=True):
    """How many were replayed, how many stay, and the most frequent reasons; ``next_key`` is None when that was all."""

    replayed: int
    items: int
    failed: int
    reasons: list[tuple[str, int]]
    next_key: Key | None = None


class RejectedDesk:
    """Acts on rejected payloads. ``storage_trouble()`` says why nothing can be stored now, if nothing can."""

    def __init__(
        self,
        book: Book,
        remapper: Remapper,
        side_door: SideDoor,
        *,
        entries: Callable[[], Mapping[str, Entry]],
        mappings: Mapping[str, ItemMapping],
        storage_trouble: Callable[[], str | None],
    ) -> None:
        self.book = book
        self._remapper = remapper
        self._side_door = side_door
        self._entries = entries
        self._mappings = mappings
        self._storage_trouble = storage_trouble
        self._under_way: set[int] = set()
        self._fingerprints: dict[str, tuple[Any, bytes]] = {}

    def config_changed(self, kept: StoredRejected) -> bool | None:
        """Whether its connector is another by now than the one it was refused under; None when nobody knows."""
        entry = self._entries().get(kept.connector_id)
        if entry is None or not kept.fingerprint:
            return None
        known = self._fingerprints.get(kept.connector_id)
        if known is None or known[0] is not entry.settings:
            known = self._fingerprints[kept.connector_id] = entry.settings, entry.settings.fingerprint()
        return known[1] != kept.fingerprint

    async def replay(self, rejected_id: int) -> Replayed:
        """Map one again and store what comes of it.

        Raises RejectedGone, ReplayRefused (its connector is not there), PayloadRefused (it stays, for this reason),
        NotDrained or StorageUnavailable (not now).
        """
        kept = await self.book.one(rejected_id)
        if kept is None:
            raise RejectedGone(rejected_id)
        self._mapping_of(kept.connector_id)
        raw = await self.book.raw(kept, size=kept.size)
        return await self._replay(kept, raw)

    async def replay_some(self, page: Page) -> ReplayedSome:
        """Map again what matches, oldest first, until ``page.limit`` were tried or it took too long.

        What stays rejected is passed over. Raises ReplayRefused, NotDrained or StorageUnavailable.
        """
        if page.connector_id is not None:
            self._mapping_of(page.connector_id)
        deadline = trio.current_time() + BULK_SECONDS
        newest_id = await self.book.newest_id()  # what is rejected meanwhile is not this backlog's
        replayed: list[Replayed] = []
        failures: Counter[str] = Counter()
        left, after = page.limit, page.after
        while left > 0 and trio.current_time() < deadline:
            wanted = replace(page, newest_first=False, after=after, limit=min(left, SLICE_ROWS))
            some = await self.book.whole(wanted, newest_id=newest_id, max_bytes=SLICE_BYTES)
            if not some:
                after = None
                break
            await self._replay_slice(some, replayed, failures)
            left -= len(some)
            after = some[-1][0].key
        log.info("rejected.replayed", replayed=len(replayed), failed=failures.total(), connector=page.connector_id)
        return ReplayedSome(
            replayed=len(replayed),
            items=sum(one.items for one in replayed),
            failed=failures.total(),
            reasons=failures.most_common(REASONS_TOLD),
            next_key=after,
        )

    async def drop(self, rejected_id: int) -> None:
        """It is not wanted. Raises RejectedGone."""
        if not await self.book.drop(rejected_id):
            raise RejectedGone(rejected_id)

    async def drop_some(self, page: Page) -> tuple[int, bool]:
        """None of what matches is wanted: how many went, and whether that was all of it."""
        deadline = trio.current_time() + BULK_SECONDS
        dropped, left = 0, page.limit
        while left > 0 and trio.current_time() < deadline:
            limit = min(left, DROP_ROWS)
            went = await self.book.drop_some(replace(page, limit=limit))
            dropped += went
            left -= went
            if went < limit:
                return dropped, True
        return dropped, False

    async def _replay_slice(
        self, some: Sequence[tuple[StoredRejected, bytes]], replayed: list[Replayed], failures: Counter[str]
    ) -> None:
        """All of a slice at once, so that they share commits. What keeps all of them from being stored is raised."""

        async def one(kept: StoredRejected, raw: bytes) -> None:
            try:
                replayed.append(await self._replay(kept, raw))
            except (PayloadRefused, ReplayRefused) as error:
                failures[str(error)] += 1
            except RejectedGone:
                pass  # somebody else replayed or dropped it meanwhile
            except EtlActorsError as error:
                troubles.append(error)

        troubles: list[EtlActorsError] = []
        async with trio.open_nursery() as nursery:
            for kept, raw in some:
                nursery.start_soon(one, kept, raw)
        if troubles:
            raise troubles[0]

    async def _replay(self, kept: StoredRejected, raw: bytes) -> Replayed:
        if kept.id in self._under_way:
            raise ReplayRefused(f"rejected payload {kept.id} is being replayed at this moment")
        self._under_way.add(kept.id)
        try:
            return await self._store(kept, await self._remapped(kept, raw))
        finally:
            self._under_way.discard(kept.id)

    async def _remapped(self, kept: StoredRejected, raw: bytes) -> Transformed | None:
        settings, mapping = self._mapping_of(kept.connector_id)
        if self.book.is_past(kept.received_at):
            raise ReplayRefused("it was received before everything that is kept: retention has taken that time")
        return await self._remapper.remap(kept, raw, settings, mapping)

    async def _store(self, kept: StoredRejected, part: Transformed | None) -> Replayed:
        if part is None:
            if not await self.book.drop(kept.id):
                raise RejectedGone(kept.id)
            return Replayed(connector_id=kept.connector_id)
        trouble = self._storage_trouble()
        if trouble is not None:
            raise StorageUnavailable(trouble)
        event: Event | None = await self._side_door.store(part, seconds=STORED_SECONDS)
        if event is None:
            # Either it was replayed or dropped a moment before, or the database takes it in no form.
            if await self.book.one(kept.id) is None:
                raise RejectedGone(kept.id)
            raise PayloadRefused("PostgreSQL cannot store what it is mapped to")
        return Replayed(
            connector_id=kept.connector_id,
            items=len(part.items),
            rejected=len(part.rejected),
            stream_offset=event.offset,
            event_id=event.event_id,
        )

    def _mapping_of(self, connector_id: str) -> tuple[Any, ItemMapping]:
        entry, mapping = self._entries().get(connector_id), self._mappings.get(connector_id)
        if entry is None:
            raise ReplayRefused(f"there is no connector {connector_id!r} any more, so nothing says how to map it")
        if mapping is None:
            raise ReplayRefused(f"the mapping of connector {connector_id!r} cannot be used: {entry.trouble}")
        return entry.settings, mapping
