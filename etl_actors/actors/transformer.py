"""The transformer: turns what a connector read into rows, and what it cannot into rejected records.

The decisions are made by each connector's mapping, which is pure; here they are made a slice at a time, so that an
answer with thousands of elements never holds the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Protocol

import structlog
import trio
from msgspec import Struct

from ..errors import PayloadRefused
from ..messages import Extracted, Item, Rejected, RejectedKind, Transformed

log = structlog.get_logger("transformer")

SLICE_SECONDS = 0.005
# Each costs a row; where more of an answer are bad, it is the answer that is.
MOST_REJECTED = 100_000


class ItemMapper(Protocol):
    """How one connector's documents become items. ``mapped_fields`` are its expressions, by field."""

    @property
    def api_name(self) -> str: ...
    @property
    def exchange(self) -> str: ...
    @property
    def has_items(self) -> bool: ...
    @property
    def mapped_fields(self) -> Mapping[str, str]: ...
    def elements(self, document: Any) -> Sequence[Any]: ...
    def map_element(self, element: Any, position: int, params: Mapping[str, str]) -> Item | None: ...


class TransformTimer(Protocol):
    """Is told of each extraction when it is mapped, and how long that took, with the turns that others had."""

    def transformed(self, extracted: Extracted, seconds: float, /) -> None: ...


class Refusal(Struct, frozen=True, kw_only=True):
    """The last time something of a connector could not be mapped, and whether nothing of that answer could."""

    reason: str
    elements: int
    nothing_left: bool
    at: datetime

    @property
    def described(self) -> str:
        """One sentence."""
        elements = "1 element was" if self.elements == 1 else f"{self.elements:,} elements were"
        return f"{elements} rejected: {self.reason}"


class TransformerStatistics(Struct, frozen=True, kw_only=True):
    """Counts by connector since the start.

    ``refusals`` holds a connector only while something of its newest answer was refused, ``last_refusals`` from then
    on; ``warnings`` while a mapped field was null in every item of it, which most often is a typo in the mapping.
    """

    items: dict[str, int]
    rejected: dict[str, int]
    refusals: dict[str, Refusal]
    last_refusals: dict[str, Refusal]
    warnings: dict[str, str]


class Transformer:
    """Maps extractions; ``mapper_of(connector_id)`` gives the mapping that is in force for a connector.

    ``on_verdict(connector_id)`` is called when :meth:`unmapped` changes.
    """

    def __init__(
        self,
        mapper_of: Callable[[str], ItemMapper],
        encode: Callable[[Any], bytes],
        *,
        on_verdict: Callable[[str], None] = lambda connector_id: None,
        timer: TransformTimer | None = None,
    ) -> None:
        self._mapper_of = mapper_of
        self._encode = encode
        self._on_verdict = on_verdict
        self._timer = timer
        self._items: dict[str, int] = {}
        self._rejected: dict[str, int] = {}
        self._refusals: dict[str, Refusal] = {}
        self._last_refusals: dict[str, Refusal] = {}
        self._warnings: dict[str, str] = {}

    def statistics(self) -> TransformerStatistics:
        """A snapshot."""
        return TransformerStatistics(
            items=dict(self._items),
            rejected=dict(self._rejected),
            refusals=dict(self._refusals),
            last_refusals=dict(self._last_refusals),
            warnings=dict(self._warnings),
        )

    def unmapped(self, connector_id: str) -> str | None:
        """Why nothing of a connector's newest answer could be mapped; None when something could."""
        refusal = self._refusals.get(connector_id)
        return None if refusal is None or not refusal.nothing_left else refusal.described

    def forget(self, connector_id: str) -> None:
        """The connector is gone: what was counted of it is not the next one's of that id."""
        for counted in (self._items, self._rejected, self._refusals, self._last_refusals, self._warnings):
            counted.pop(connector_id, None)

    async def run(
        self,
        extracted_receive: trio.MemoryReceiveChannel[Extracted],
        transformed_send: trio.MemorySendChannel[Transformed],
    ) -> None:
        """Until the input ends."""
        async with extracted_receive, transformed_send:
            async for extracted in extracted_receive:
                began = monotonic()
                transformed = await self.transform(extracted)
                if self._timer is not None:
                    self._timer.transformed(extracted, monotonic() - began)
                await transformed_send.send(transformed)

    async def transform(self, extracted: Extracted) -> Transformed:
        """The rows of one extraction; what cannot be mapped is among them, as rejected."""
        mapper = self._mapper_of(extracted.connector_id)
        items: list[Item] = []
        rejected: list[Rejected] = []
        sources: list[tuple[int, Any]] = []
        refusal = extracted.refusal
        if refusal is None and mapper.has_items and extracted.kind != "notice":
            try:
                await self._map(extracted, mapper, mapper.elements(extracted.document), items, rejected, sources)
            except PayloadRefused as error:
                refusal = str(error)
            except Exception as error:
                # Whatever it is, it must cost this answer only, and the answer must not be lost with it.
                log.error("transformer.mapping_crashed", connector_id=extracted.connector_id, exc_info=error)
                refusal = f"the mapping crashed: {type(error).__name__}: {error}"
        if refusal is None and extracted.damage is not None and not mapper.has_items:
            refusal = extracted.damage.reasons[0]  # the whole answer is what is stored and told
        if refusal is not None:
            items, sources, rejected = [], [], [_reject(extracted, extracted.body, refusal)]
        if extracted.kind != "notice":
            self._count(extracted.connector_id, items, rejected)
            before = self.unmapped(extracted.connector_id) is None
            self._note(extracted, items, rejected)
            if before != (self.unmapped(extracted.connector_id) is None):
                self._on_verdict(extracted.connector_id)
            if refusal is None:
                self._warn(extracted.connector_id, mapper, items)
        return Transformed(
            extraction_id=extracted.extraction_id,
            connector_id=extracted.connector_id,
            api_name=mapper.api_name,
            exchange=mapper.exchange,
            epoch=extracted.epoch,
            received_at=extracted.received_at,
            response_time_ms=extracted.response_time_ms,
            body=extracted.body if refusal is not None or extracted.damage is None else extracted.damage.body,
            checkpoint=extracted.checkpoint,
            has_items=mapper.has_items,
            items=tuple(items),
            rejected=tuple(rejected),
            sources=tuple(sources),
            store_response=refusal is None,
            kind=extracted.kind,
            message_type=extracted.message_type,
        )

    async def _map(
        self,
        extracted: Extracted,
        mapper: ItemMapper,
        elements: Sequence[Any],
        items: list[Item],
        rejected: list[Rejected],
        sources: list[tuple[int, Any]],
    ) -> None:
        slice_end = trio.current_time() + SLICE_SECONDS
        damage, damaged = extracted.damage, set[int]()
        for position, element in enumerate(elements, start=1):
            raw, found = b"", list[int]()
            if damage is not None:
                raw = self._encode(element)
                found = damage.found_in(raw)
                damaged.update(found)
            try:
                if damage is not None and found:
                    raise PayloadRefused(damage.reasons[found[0]])
                item = mapper.map_element(element, position, extracted.params)
            except PayloadRefused as error:
                where = f"element {position}" + (f", {error.where}" if error.where else "")
                raw = raw or self._encode(element)
                if damage is not None:
                    raw = damage.restored(raw)
                if len(rejected) == MOST_REJECTED:
                    first = rejected[0].reason
                    raise PayloadRefused(f"more than {MOST_REJECTED:,} elements are bad, the first: {first}") from None
                rejected.append(_reject(extracted, raw, str(error), where, position))
            else:
                if item is not None:
                    items.append(item)
                    sources.append((position, element))
            if trio.current_time() > slice_end:
                await trio.lowlevel.checkpoint()
                slice_end = trio.current_time() + SLICE_SECONDS
        if damage is not None:
            damage.refuse_but(damaged)

    def _count(self, connector_id: str, items: list[Item], rejected: list[Rejected]) -> None:
        self._items[connector_id] = self._items.get(connector_id, 0) + len(items)
        self._rejected[connector_id] = self._rejected.get(connector_id, 0) + len(rejected)

    def _note(self, extracted: Extracted, items: list[Item], rejected: list[Rejected]) -> None:
        """Remember what is wrong with the newest answer, and say so when that changes."""
        connector_id = extracted.connector_id
        if not rejected:
            if self._refusals.pop(connector_id, None):
                log.info("transformer.recovered", connector_id=connector_id)
            return
        before = self._refusals.get(connector_id)
        refusal = Refusal(
            reason=rejected[0].reason, elements=len(rejected), nothing_left=not items, at=datetime.now(UTC)
        )
        self._refusals[connector_id] = refusal
        if extracted.refusal is not None:
            return  # the connector has told that itself
        self._last_refusals[connector_id] = refusal
        if before is None or before.reason != refusal.reason:
            log.warning(
                "transformer.payload_rejected",
                connector_id=connector_id,
                reason=refusal.reason,
                where=rejected[0].where or "the whole answer",
                rejected=len(rejected),
                mapped=len(items),
            )

    def _warn(self, connector_id: str, mapper: ItemMapper, items: list[Item]) -> None:
        silent = [
            f"{name} (`{expression}`)"
            for name, expression in mapper.mapped_fields.items()
            if items and all(getattr(item, name) is None for item in items)
        ]
        if not silent:
            self._warnings.pop(connector_id, None)
            return
        warning = f"null in all {len(items)} items of the newest answer: {', '.join(silent)}"
        if connector_id not in self._warnings:
            log.warning("transformer.field_finds_nothing", connector_id=connector_id, warning=warning)
        self._warnings[connector_id] = warning


def _reject(extracted: Extracted, raw: bytes, reason: str, where: str = "", position: int | None = None) -> Rejected:
    whole: RejectedKind = "frame" if extracted.kind == "frame" else "response"
    return Rejected(
        connector_id=extracted.connector_id,
        received_at=extracted.received_at,
        raw=raw,
        reason=reason,
        where=where,
        kind=whole if position is None else "element",
        position=position,
        response_time_ms=extracted.response_time_ms,
        fingerprint=extracted.checkpoint.fingerprint,
    )
