"""The transformer: turns what a connector read into rows, and what it cannot into rejected records.

The decisions are made by each connector's mapping, which is pure; here they are made a slice at a time, so that an
answer with thousands of elements never holds the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
import trio
from msgspec import Struct

from ..errors import PayloadRefused
from ..messages import Extracted, Item, Rejected, Transformed

log = structlog.get_logger("transformer")

SLICE_SECONDS = 0.005
MAX_REASONS_LOGGED = 1


class ItemMapper(Protocol):
    """How one connector's documents become items."""

    @property
    def api_name(self) -> str: ...
    @property
    def exchange(self) -> str: ...
    @property
    def has_items(self) -> bool: ...
    def elements(self, document: Any) -> Sequence[Any]: ...
    def map_element(self, element: Any, position: int, params: Mapping[str, str]) -> Item | None: ...


class Refusal(Struct, frozen=True, kw_only=True):
    """The last time something of a connector could not be mapped."""

    reason: str
    elements: int
    at: datetime


class TransformerStatistics(Struct, frozen=True, kw_only=True):
    """Counts by connector since the start. ``refusals`` holds a connector only while its newest answer was refused."""

    items: dict[str, int]
    rejected: dict[str, int]
    refusals: dict[str, Refusal]


class Transformer:
    """Maps extractions; ``mapper_of(connector_id)`` gives the mapping that is in force for a connector."""

    def __init__(self, mapper_of: Callable[[str], ItemMapper], encode: Callable[[Any], bytes]) -> None:
        self._mapper_of = mapper_of
        self._encode = encode
        self._items: dict[str, int] = {}
        self._rejected: dict[str, int] = {}
        self._refusals: dict[str, Refusal] = {}

    def statistics(self) -> TransformerStatistics:
        """A snapshot."""
        return TransformerStatistics(
            items=dict(self._items), rejected=dict(self._rejected), refusals=dict(self._refusals)
        )

    async def run(
        self,
        extracted_receive: trio.MemoryReceiveChannel[Extracted],
        transformed_send: trio.MemorySendChannel[Transformed],
    ) -> None:
        """Until the input ends."""
        async with extracted_receive, transformed_send:
            async for extracted in extracted_receive:
                await transformed_send.send(await self.transform(extracted))

    async def transform(self, extracted: Extracted) -> Transformed:
        """The rows of one extraction; what cannot be mapped is among them, as rejected."""
        mapper = self._mapper_of(extracted.connector_id)
        items: list[Item] = []
        rejected: list[Rejected] = []
        refusal = extracted.refusal
        if refusal is None and mapper.has_items:
            try:
                await self._map(extracted, mapper, mapper.elements(extracted.document), items, rejected)
            except PayloadRefused as error:
                refusal = str(error)
            except Exception as error:
                # Whatever it is, it must cost this answer only, and the answer must not be lost with it.
                log.error("transformer.mapping_crashed", connector_id=extracted.connector_id, exc_info=error)
                refusal = f"the mapping crashed: {type(error).__name__}: {error}"
        if refusal is not None:
            items, rejected = [], [_reject(extracted, extracted.body, refusal)]
        self._note(extracted.connector_id, items, rejected, whole=refusal is not None)
        return Transformed(
            extraction_id=extracted.extraction_id,
            connector_id=extracted.connector_id,
            api_name=mapper.api_name,
            exchange=mapper.exchange,
            epoch=extracted.epoch,
            received_at=extracted.received_at,
            response_time_ms=extracted.response_time_ms,
            body=extracted.body,
            checkpoint=extracted.checkpoint,
            has_items=mapper.has_items,
            items=tuple(items),
            rejected=tuple(rejected),
            store_response=refusal is None,
        )

    async def _map(
        self,
        extracted: Extracted,
        mapper: ItemMapper,
        elements: Sequence[Any],
        items: list[Item],
        rejected: list[Rejected],
    ) -> None:
        slice_end = trio.current_time() + SLICE_SECONDS
        for position, element in enumerate(elements, start=1):
            try:
                item = mapper.map_element(element, position, extracted.params)
            except PayloadRefused as error:
                where = f"element {position}" + (f", {error.where}" if error.where else "")
                rejected.append(_reject(extracted, self._encode(element), str(error), where))
            else:
                if item is not None:
                    items.append(item)
            if trio.current_time() > slice_end:
                await trio.lowlevel.checkpoint()
                slice_end = trio.current_time() + SLICE_SECONDS

    def _note(self, connector_id: str, items: list[Item], rejected: list[Rejected], *, whole: bool) -> None:
        self._items[connector_id] = self._items.get(connector_id, 0) + len(items)
        self._rejected[connector_id] = self._rejected.get(connector_id, 0) + len(rejected)
        if not rejected:
            if self._refusals.pop(connector_id, None):
                log.info("transformer.recovered", connector_id=connector_id)
            return
        before = self._refusals.get(connector_id)
        elements = 0 if whole else len(rejected)
        self._refusals[connector_id] = Refusal(reason=rejected[0].reason, elements=elements, at=datetime.now(UTC))
        if before is None or before.reason != rejected[0].reason:
            log.warning(
                "transformer.payload_rejected",
                connector_id=connector_id,
                reason=rejected[0].reason,
                where=rejected[0].where or "the whole answer",
                rejected=len(rejected),
                mapped=len(items),
            )


def _reject(extracted: Extracted, raw: bytes, reason: str, where: str = "") -> Rejected:
    return Rejected(
        connector_id=extracted.connector_id,
        received_at=extracted.received_at,
        raw=raw,
        reason=reason,
        where=where,
    )
