"""What is left to store of a batch that cannot be stored as it is. Pure.

The ids of new batches follow from that of the old one: what waits on disk may be taken apart again after a crash, and
its parts must not be stored twice.
"""

from __future__ import annotations

from collections.abc import Collection, Container
from uuid import UUID, uuid5

from msgspec.structs import replace

from ..messages import UNOWNED, Batch, Transformed


def halves(batch: Batch) -> list[Batch]:
    """Two batches; none of one that has a single part."""
    middle = len(batch.parts) // 2
    if not middle:
        return []
    return [made_of(batch, batch.parts[:middle], "first"), made_of(batch, batch.parts[middle:], "second")]


def made_of(batch: Batch, parts: tuple[Transformed, ...], name: str) -> Batch:
    """These parts in place of ``batch``; ``name`` tells apart what is made of it."""
    return Batch(batch_id=uuid5(batch.batch_id, name), parts=parts, left_by=batch.left_by)


def outliving(batch: Batch, connector_ids: Container[str]) -> Batch:
    """A batch that waited on disk while somebody else claimed these connectors: what he does not read again is stored
    whoever owns them. Behind a cursor that was moved he reads again.
    """
    return replace(
        batch,
        parts=tuple(
            replace(part, epoch=UNOWNED)
            if part.connector_id in connector_ids and (part.kind != "response" or part.checkpoint.cursor is None)
            else part
            for part in batch.parts
        ),
    )


def read_by(batch: Batch, connector_ids: Collection[str]) -> dict[UUID, Transformed]:
    """The parts that these connectors read themselves; what a caller asked for under their names is not theirs."""
    return {
        part.extraction_id: part for part in batch.parts if part.connector_id in connector_ids and part.epoch != UNOWNED
    }


def without(batch: Batch, extraction_ids: Container[UUID]) -> list[Batch]:
    """The batch without these, if anything is left of it."""
    parts = tuple(part for part in batch.parts if part.extraction_id not in extraction_ids)
    return [replace(batch, parts=parts)] if parts else []
