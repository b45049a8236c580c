"""The shapes of connectors, of how they are, and of an extraction."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from ...settings import Auth, ConnectorSettings, ItemMapping, NoAuth
from ...settings.connector import LONGEST_TIMEOUT_SECONDS, ConnectorId, HttpMethod
from ...settings.terms import Scalar
from ...wire import ItemRow
from .paging import Count

ConnectorState = Literal["running", "throttled", "failing", "paused", "stopped"]


class Connector(ConnectorSettings, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A connector: everything that is set, where it comes from, and its state."""

    state: ConnectorState
    origin: Annotated[Literal["file", "api"], Meta(description="`file`: read-only here. `api`: made over REST.")]
    file: Annotated[str | UnsetType, Meta(description="Where it is written.")] = UNSET
    created_at: datetime | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET
    trouble: Annotated[str | UnsetType, Meta(description="Why it cannot run although it is enabled.")] = UNSET


class ConnectorsAnswer(Struct):
    """All connectors."""

    connectors: list[Connector]
    total: Count


class ConnectorStatus(Struct, kw_only=True):
    """How a connector is at this moment. What a stopped one cannot say is left out."""

    connector_id: str
    state: ConnectorState
    last_success: datetime | UnsetType | None = UNSET
    last_error: Annotated[
        str | UnsetType | None,
        Meta(description="Stays after a recovery; `consecutive_failures` tells whether it is over."),
    ] = UNSET
    last_error_at: datetime | UnsetType | None = UNSET
    failures: Annotated[int | UnsetType, Meta(description="All since the start.")] = UNSET
    consecutive_failures: Count | UnsetType = UNSET
    next_poll: datetime | UnsetType | None = UNSET
    effective_interval_seconds: float | UnsetType = UNSET
    retry_after_seconds: Annotated[
        float | UnsetType | None, Meta(description="What is left of the wait that the provider asked for.")
    ] = UNSET
    latency_p50_ms: float | UnsetType | None = UNSET
    latency_p99_ms: float | UnsetType | None = UNSET
    polls: Count | UnsetType = UNSET
    unchanged: Annotated[int | UnsetType, Meta(description="Polls whose answer was the one before.")] = UNSET
    stale: bool | UnsetType = UNSET
    items: Annotated[int, Meta(ge=0, description="Items made since the start.")]
    rejected: Annotated[int, Meta(ge=0, description="Elements that could not be mapped since the start.")]
    warning: Annotated[str | None, Meta(description="What looks wrong with the mapping.")]


class ExtractBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to fetch once; the keys are those of a connector, ``items`` is the mapping."""

    url: str
    method: HttpMethod = "GET"
    headers: dict[str, str] = {}
    params: dict[str, Scalar] = {}
    auth: Auth = NoAuth()
    items: ItemMapping | None = None
    connector_id: Annotated[
        ConnectorId | UnsetType, Meta(description="What to store it under; `extract` by default.")
    ] = UNSET
    timeout_seconds: Annotated[float, Meta(gt=0, le=LONGEST_TIMEOUT_SECONDS)] = 10


class ExtractAnswer(Struct, kw_only=True):
    """What was fetched and stored."""

    connector_id: str
    id: Annotated[UUID, Meta(description="The id of its event.")]
    stream_offset: Count
    timestamp: datetime
    response_time_ms: Count
    items: Annotated[list[ItemRow] | None, Meta(description="Null where no mapping was given.")]
    rejected: Annotated[int, Meta(ge=0, description="Elements that could not be mapped; they are kept.")]
    response_data: Any
