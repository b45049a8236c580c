"""One answer of a url that a caller names, fetched once: through the same source, mapping and commit as a connector's.

It is stored under the connector id the caller gives, or under ``extract``, moves no checkpoint and belongs to no epoch,
and is answered when it is stored.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import trio
from msgspec import Raw, Struct
from msgspec.structs import replace

from .actors.connector_intake import Intake
from .actors.connector_sweep import Sweep
from .actors.transformer import Transformer
from .errors import PayloadRefused, PollFailed, StorageUnavailable, TooManyAtOnce
from .factory import ActorFactory
from .messages import Checkpoint, Event, Extracted, Transformed
from .roster_request import checked
from .settings import ConnectorSettings
from .settings.original_names import draft_names
from .settings.request_body import draft_extract
from .side_door import SideDoor
from .transforms.documents import encode_json

AT_ONCE = 8
STORED_SECONDS = 10.0


class Outcome(Struct, frozen=True, kw_only=True):
    """What was fetched and stored. ``items`` is None where no mapping was given; ``response_data`` is the answer."""

    connector_id: str
    id: str
    stream_offset: int
    timestamp: str
    response_time_ms: int
    items: Raw | None
    rejected: int
    response_data: Raw


class _Data(Struct):
    items: Raw


class _Said(Struct):
    data: Raw
    timestamp: str


class Extractor:
    """Fetches on behalf of callers. ``storage_trouble()`` says why nothing can be stored now, if nothing can."""

    def __init__(
        self,
        factory: ActorFactory,
        side_door: SideDoor,
        *,
        known: Callable[[str], ConnectorSettings | None],
        register: Callable[[str, str, str], Awaitable[None]],
        refuse_target: Callable[[str], str | None],
        storage_trouble: Callable[[], str | None],
    ) -> None:
        self._factory = factory
        self._side_door = side_door
        self._known = known
        self._register = register
        self._refuse_target = refuse_target
        self._storage_trouble = storage_trouble
        self._turns = trio.Semaphore(AT_ONCE)

    async def extract(self, document: Mapping[str, Any]) -> Outcome:
        """Fetch, map, store.

        Raises :class:`ConfigError` (the request is wrong), :class:`PollFailed` (the provider brought nothing),
        :class:`PayloadRefused` (what it brought cannot be mapped; it is kept as rejected), NotDrained or
        StorageUnavailable (not now) and TooManyAtOnce.
        """
        said, contradictions = draft_names(document)
        draft, mistakes = draft_extract(said, contradictions)
        drafted = (None if draft is None else self._named(draft), mistakes)
        # Compiling takes a while, and must not keep others waiting.
        settings, mapping = await trio.to_thread.run_sync(checked, drafted, self._factory, self._refuse_target)
        trouble = self._storage_trouble()
        if trouble is not None:
            raise StorageUnavailable(trouble)
        try:
            self._turns.acquire_nowait()
        except trio.WouldBlock:
            raise TooManyAtOnce(f"{AT_ONCE} extractions are under way already") from None
        try:
            extracted = await self._fetch(settings, mapping)
            transformed = await Transformer(lambda connector_id: mapping, encode_json).transform(extracted)
            await self._register(settings.connector_id, settings.api_name, settings.source_id)
            event = await self._side_door.store(transformed, seconds=STORED_SECONDS)
        finally:
            self._turns.release()
        if event is None:
            reason = transformed.rejected[0].reason if transformed.rejected else "PostgreSQL cannot store it"
            raise PayloadRefused(reason)
        return _outcome(event, transformed)

    def _named(self, settings: ConnectorSettings) -> ConnectorSettings:
        """Under the id of a connector that is there, with its name and source."""
        known = self._known(settings.connector_id)
        if known is None:
            return settings
        return replace(settings, connector_name=known.connector_name, source_id=known.source_id)

    async def _fetch(self, settings: ConnectorSettings, mapping: Any) -> Extracted:
        reading = await self._factory.source(settings, trusted=False).poll(Checkpoint())
        assert reading is not None  # nothing was said to be known, so nothing can be unchanged
        # What was refused for its form comes through all the same, and is kept as rejected: it is no failed poll here.
        intake = Intake(settings, read=self._factory.read, inspector=mapping, grace_seconds=0)
        send, receive = trio.open_memory_channel[Extracted](1)
        async with send, receive:
            try:
                await intake.take(reading, Sweep(settings, None), send)
            except PollFailed:
                if not receive.statistics().current_buffer_used:
                    raise
            return receive.receive_nowait()


def _outcome(event: Event, transformed: Transformed) -> Outcome:
    said = msgspec.json.decode(event.encoded, type=_Said)
    items = msgspec.json.decode(said.data, type=_Data).items if transformed.has_items else None
    return Outcome(
        connector_id=event.connector_id,
        id=str(event.event_id),
        stream_offset=event.offset,
        timestamp=said.timestamp,
        response_time_ms=transformed.response_time_ms,
        items=items,
        rejected=len(transformed.rejected),
        response_data=Raw(transformed.body.removeprefix(BOM_UTF8)),
    )
