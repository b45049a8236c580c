"""What a rejected payload becomes under the mapping of today. It decides; who stores it is another's business.

A payload that was rejected whole is mapped as a whole again, and of it too some elements may be refused; an element
that was rejected out of a list is mapped alone; a frame stays a frame. What comes of it has the time it was received
at, and moves no state of its connector.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from .actors.transformer import Transformer
from .damage import Damage
from .errors import PayloadRefused
from .messages import UNOWNED, Checkpoint, Extracted, Kind, StoredRejected, Transformed
from .settings import ConnectorSettings
from .settings.disclosure import open_params
from .transforms.documents import encode_json
from .transforms.mapping import Mapping as ItemMapping

log = structlog.get_logger("rejected")

Read = Callable[[bytes], Awaitable[tuple[Any, Damage | None]]]


class Remapper:
    """Maps again. ``read(body)`` gives a document, and what is damaged in it; it raises PayloadRefused."""

    def __init__(self, read: Read) -> None:
        self._read = read

    async def remap(
        self, kept: StoredRejected, raw: bytes, settings: ConnectorSettings, mapping: ItemMapping
    ) -> Transformed | None:
        """What is stored in its place; None when the mapping of today leaves it out. PayloadRefused says why not."""
        extracted = await self._extracted(kept, raw, settings)
        try:
            return await _mapped(extracted, kept, settings, mapping)
        except PayloadRefused:
            raise
        except Exception as error:
            log.error("rejected.mapping_crashed", connector_id=kept.connector_id, exc_info=error)
            raise PayloadRefused(f"the mapping crashed: {type(error).__name__}: {error}") from error

    async def _extracted(self, kept: StoredRejected, raw: bytes, settings: ConnectorSettings) -> Extracted:
        document, damage = await self._read(raw)
        return Extracted(
            extraction_id=uuid7(),
            connector_id=kept.connector_id,
            epoch=UNOWNED,
            received_at=kept.received_at,
            response_time_ms=kept.response_time_ms or 0,
            body=raw,
            checkpoint=Checkpoint(fingerprint=settings.fingerprint()),
            # Those of a page or a cursor are not remembered: secrets may be among them.
            params=open_params(settings),
            document=document,
            damage=damage,
        )


async def _mapped(
    extracted: Extracted, kept: StoredRejected, settings: ConnectorSettings, mapping: ItemMapping
) -> Transformed | None:
    if kept.kind == "element" or (kept.kind is None and kept.where):
        return _element(extracted, kept, mapping)
    extracted = replace(extracted, kind=_whole_kind(kept, settings))
    if extracted.kind == "frame":
        if settings.sequence is not None and settings.sequence.snapshot is not None:
            raise PayloadRefused("a frame that changes an order book means nothing without the book of its time")
        if mapping.frames.ignored(extracted.document):
            return None
        extracted = replace(extracted, message_type=mapping.frames.message_type(extracted.document))
    said = mapping.provider_error(extracted.document)
    if said is not None:
        raise PayloadRefused(said)
    # One of its own: what is wrong with an old payload says nothing of the connector's newest.
    transformed = await Transformer(lambda connector_id: mapping, encode_json).transform(extracted)
    if transformed.rejected and not transformed.items:
        raise PayloadRefused(transformed.rejected[0].reason, where=transformed.rejected[0].where)
    return replace(transformed, replays=kept.key)


def _whole_kind(kept: StoredRejected, settings: ConnectorSettings) -> Kind:
    if kept.kind is not None:
        return kept.kind
    return "frame" if settings.kind == "websocket" else "response"


def _element(extracted: Extracted, kept: StoredRejected, mapping: ItemMapping) -> Transformed | None:
    if extracted.damage is not None:
        raise PayloadRefused(extracted.damage.reasons[0])
    if not mapping.has_items:
        raise PayloadRefused("the connector makes no items of its answers")
    item = mapping.map_element(extracted.document, kept.position or _told_position(kept.where), extracted.params)
    if item is None:
        return None
    return Transformed(
        extraction_id=extracted.extraction_id,
        connector_id=extracted.connector_id,
        api_name=mapping.api_name,
        exchange=mapping.exchange,
        epoch=UNOWNED,
        received_at=extracted.received_at,
        response_time_ms=extracted.response_time_ms,
        body=extracted.body,
        checkpoint=extracted.checkpoint,
        has_items=True,
        items=(item,),
        kind="element",
        replays=kept.key,
    )


def _told_position(where: str) -> int:
    """3 of ``element 3, price``: all that rows from before say of it."""
    number = where.removeprefix("element ").partition(",")[0]
    return int(number) if number.isascii() and number.isdigit() else 1
