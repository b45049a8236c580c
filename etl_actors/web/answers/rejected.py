"""The shapes of rejected payloads and of what comes of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct

from .paging import Count, Exact, Next, Total


class RejectedListed(Struct, kw_only=True):
    """A rejected payload, as it is listed."""

    id: Count
    connector_id: str
    kind: Annotated[
        Literal["response", "frame", "element"], Meta(description="A payload as a whole, or one element of a list.")
    ]
    where: Annotated[str, Meta(description="Where it was in the answer, and which field; empty for the whole.")]
    reason: Annotated[str, Meta(description="Why it could not be mapped.")]
    timestamp: Annotated[datetime, Meta(description="When it was received.")]
    size: Annotated[int, Meta(ge=0, description="How many bytes it has.")]
    config_changed: Annotated[
        bool | None,
        Meta(
            description="Whether its connector (address, parameters, mapping) is another by now: else a replay ends as"
            " it did. Null where the connector is gone, or where nobody remembers."
        ),
    ]


class RejectedAnswer(RejectedListed, kw_only=True):
    """A rejected payload with its raw bytes."""

    raw: Annotated[str, Meta(description="Its bytes: as text where they are UTF-8 text, else in base64.")]
    encoding: Literal["utf-8", "base64"]
    truncated: Annotated[bool, Meta(description="Whether `raw` is its beginning only; `Accept` gets all of it.")]


class RejectedPageAnswer(Struct, kw_only=True):
    """A page of rejected payloads."""

    rejected: list[RejectedListed]
    total: Total
    total_exact: Exact = UNSET
    limit: Count
    offset: Count
    next: Next


class ReplayedAnswer(Struct, kw_only=True):
    """What was stored in its place."""

    id: Annotated[int, Meta(ge=0, description="The rejected payload, which is gone.")]
    connector_id: str
    items: Count
    rejected: Annotated[int, Meta(ge=0, description="Elements of it that are rejected still, now one by one.")]
    stream_offset: Annotated[
        int | None, Meta(description="Its place in the log; null where the mapping of today leaves it out.")
    ]
    event_id: UUID | None


class FailedReason(Struct):
    """A reason, and how often it was one."""

    reason: str
    count: Count


class BacklogReplayed(Struct, kw_only=True):
    """What came of a backlog."""

    replayed: Count
    items: Annotated[int, Meta(ge=0, description="Items that were made of them.")]
    failed: Annotated[int, Meta(ge=0, description="Those that stay rejected.")]
    reasons: Annotated[list[FailedReason], Meta(description="Why, the most frequent ones.")]
    next: Annotated[str | None, Meta(description="The link to POST to for the rest; null when that was all.")]


class BacklogDropped(Struct, kw_only=True):
    """How many are gone."""

    dropped: Count
    next: Annotated[str | None, Meta(description="The link to DELETE for the rest; null when that was all.")]
