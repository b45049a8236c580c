"""The shapes of what the routes answer where the rows themselves do not tell: for the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from ..keys import Scope
from ..settings import Auth, ConnectorSettings, ItemMapping, NoAuth
from ..settings.connector import LONGEST_TIMEOUT_SECONDS, ConnectorId, HttpMethod
from ..settings.terms import Scalar
from ..wire import ItemRow, ResponseRow

ConnectorState = Literal["running", "throttled", "failing", "paused", "stopped"]
Count = Annotated[int, Meta(ge=0)]
Next = Annotated[str | None, Meta(description="The link to the next page; null on the last one.")]
Total = Annotated[int, Meta(ge=0, description="How many rows match; at least so many where `total_exact` is false.")]
Exact = Annotated[
    bool | UnsetType, Meta(description="False where `total` is a lower bound; left out where it is exact.")
]


class Alive(Struct):
    """It answers."""

    status: Literal["ok"]


class Root(Alive):
    """What the root says to programs."""

    service: str
    version: str


class Ready(Struct):
    """It can serve."""

    status: Literal["ready"]


class NotReady(Struct):
    """It cannot, for these reasons."""

    status: Literal["not ready"]
    reasons: list[str]


class ItemsAnswer(Struct, kw_only=True):
    """A page of items."""

    items: list[ItemRow]
    total: Total
    total_exact: Exact = UNSET
    limit: Count
    offset: Count
    next: Next


class ResponsesAnswer(Struct, kw_only=True):
    """A page of responses."""

    data: list[ResponseRow]
    total: Total
    total_exact: Exact = UNSET
    limit: Count
    offset: Count
    next: Next


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
    """What to fetch once; the keys are those of a connector."""

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


class BadRow(Struct):
    """A row that could not be taken, and why."""

    line: Count
    message: str


class BadRows(Struct):
    """How many, and the first of them."""

    count: Count
    first: Annotated[list[BadRow] | UnsetType, Meta(description="Left out in lists.")] = UNSET


class Column(Struct):
    """A column of a cleaned file."""

    name: str
    original: str
    type: Literal["integer", "number", "boolean", "date", "datetime", "string", "array", "object", "mixed"]
    nulls: Count


class FileListed(Struct, kw_only=True):
    """A file, as it is listed."""

    id: Count
    filename: str
    file_type: str
    file_size: Count
    row_count: int | None
    uploaded_at: datetime
    kind: Annotated[str, Meta(description="`upload`, or `processed` for the result of a cleaning.")]
    path: Annotated[str | None, Meta(description="Where it lies in the data folder.")]
    encoding: str | None
    delimiter: str | None
    bad_rows: BadRows | None


class FileAnswer(FileListed, kw_only=True):
    """A file."""

    columns: Annotated[list[str | Column] | None, Meta(description="Their names; of a cleaned file, their types.")]


class FilesAnswer(Struct):
    """A page of files."""

    files: list[FileListed]
    total: Count
    limit: Count
    offset: Count
    next: Next


class FileRow(Struct):
    """A row of a file."""

    id: Count
    file_id: Count
    row_number: Annotated[int, Meta(ge=1, description="Its place among the rows of the file.")]
    row_data: Any


class FileDataAnswer(Struct):
    """A page of rows."""

    data: list[FileRow]
    total: Count
    limit: Count
    offset: Count
    next: Next


class ProcessAnswer(FileAnswer, kw_only=True):
    """The result of a cleaning."""

    format: Literal["ndjson", "csv"]
    rows: Count
    preview: Annotated[list[dict[str, Any]], Meta(description="The first ten rows.")]


class Actor(Struct, kw_only=True):
    """One actor of the pipeline."""

    name: str
    state: Literal["running", "restarting", "parked", "finished", "failed"]
    restarts: Count
    last_error: str | None
    last_error_at: datetime | None


class ChannelFill(Struct):
    """How many messages wait in a channel, and how many may."""

    waiting: Count
    capacity: float


class LoaderStatus(Struct, kw_only=True):
    """What was stored since the start."""

    batches: Count
    rows: Count
    refused: Count
    head: Annotated[int, Meta(description="The newest offset of the stream.")]
    waiting_seconds: float
    last_error: str | None


class SubscriberStatus(Struct, kw_only=True):
    """To how many the live feed goes."""

    subscribers: Count
    events: Count
    too_slow: Count
    head: int | None
    waiting_bytes: Count


class SymbolStatus(Struct, kw_only=True):
    """The symbol table of one source."""

    pairs: Count
    refreshed_at: datetime | None
    last_error: str | None


class Status(Struct, kw_only=True):
    """How everything is."""

    status: Literal["ok", "not ready"]
    version: str
    started_at: datetime
    uptime_seconds: float
    connectors: Annotated[dict[str, list[str]], Meta(description="The ids of connectors by their state.")]
    actors: list[Actor]
    channels: dict[str, ChannelFill]
    loader: LoaderStatus
    database: Annotated[dict[str, Any], Meta(description="Which database it is, its connections and its retention.")]
    spool: Annotated[dict[str, Any] | None, Meta(description="What waits on disk while the database is away.")]
    subscribers: SubscriberStatus
    symbols: dict[str, SymbolStatus]


class TestSent(Struct):
    """A test message went out."""

    status: Literal["sent"]
    subscribers: Annotated[int, Meta(ge=0, description="To how many it was sent.")]
    message: Annotated[Any, Meta(description="What was sent.")]


class SessionAnswer(Struct):
    """Who asks."""

    scope: Scope
    name: str
    key_id: Annotated[int | None, Meta(description="0 is the first key; null where no key was asked for.")]


class Key(Struct, kw_only=True):
    """What is kept of a key."""

    id: int
    name: str
    scope: Scope
    begins: Annotated[str, Meta(description="How the key begins, to recognise it by.")]
    state: Literal["active", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: Annotated[datetime | None, Meta(description="To the minute.")]
    revoked_at: datetime | None


class NewKey(Key, kw_only=True):
    """A key that was made, with the key itself, this once."""

    key: str


class KeysAnswer(Struct):
    """All keys but the first one, which no table holds."""

    keys: list[Key]
    total: Count
