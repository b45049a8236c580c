"""An extraction without what the database refuses of it: those are among the rejected, and can be replayed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from ..messages import Rejected, RejectedKind, Transformed


def without_items(part: Transformed, refused: Mapping[int, str], encode: Callable[[Any], bytes]) -> Transformed:
    """``part`` without the items at these places, each rejected for its reason as the element it was made of."""
    rejected = [
        _refusal(part, encode(part.sources[place][1]), why, part.sources[place][0]) for place, why in refused.items()
    ]
    kept = [place for place in range(len(part.items)) if place not in refused]
    return replace(
        part,
        items=tuple(part.items[place] for place in kept),
        sources=tuple(part.sources[place] for place in kept),
        rejected=(*part.rejected, *rejected),
    )


def rejected_whole(part: Transformed, reason: str) -> Transformed:
    """``part`` as its body, rejected."""
    return replace(part, items=(), sources=(), rejected=(_refusal(part, part.body, reason),), store_response=False)


def _refusal(part: Transformed, raw: bytes, reason: str, position: int | None = None) -> Rejected:
    whole: RejectedKind = "frame" if part.kind == "frame" else "response"
    return Rejected(
        connector_id=part.connector_id,
        received_at=part.received_at,
        raw=raw,
        reason=f"PostgreSQL refused it: {reason}",
        where="" if position is None else f"element {position}",
        kind=whole if position is None else "element",
        position=position,
        response_time_ms=part.response_time_ms,
        fingerprint=part.checkpoint.fingerprint,
    )
