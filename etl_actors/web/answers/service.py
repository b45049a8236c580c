"""The shapes of how the service is, and of who may ask it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ...keys import Scope
from ..problems import ProblemDocument
from .paging import Count


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
    stale: Annotated[
        list[str] | UnsetType, Meta(description="Connectors that bring nothing fresh; it can serve all the same.")
    ] = UNSET


class NotReady(ProblemDocument, frozen=True, kw_only=True):
    """It cannot, for these reasons."""

    reasons: list[str]
    stale: Annotated[list[str] | UnsetType, Meta(description="Connectors that bring nothing fresh.")] = UNSET


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
    spooled: Annotated[
        int, Meta(ge=0, description="How many batches were put on disk, since they could not be stored.")
    ]
    waits: Annotated[bool, Meta(description="Whether any of them waits; what comes gets in line behind it.")]
    head: Annotated[int, Meta(description="The newest offset of the stream.")]
    waiting_seconds: Annotated[float, Meta(description="For how long a batch was neither stored nor put on disk.")]
    last_error: str | None


class SubscriberStatus(Struct, kw_only=True):
    """To how many the live feed goes."""

    subscribers: Count
    replaying: Annotated[int, Meta(ge=0, description="Those that are catching up from the log.")]
    events: Count
    too_slow: Annotated[int, Meta(ge=0, description="How many were let go because they read too slowly.")]
    dropped: Annotated[int, Meta(ge=0, description="How many events slow subscribers did not get, and were told so.")]
    head: int
    waiting_bytes: Count
    fullest_bytes: Annotated[int, Meta(ge=0, description="What waits for the subscriber for whom most does.")]
    recent_bytes: Annotated[int, Meta(ge=0, description="What is kept for those who come back after a moment.")]


class SpoolStatus(Struct, kw_only=True):
    """What waits on disk for the database."""

    batches: Count
    rows: Count
    bytes: Annotated[int, Meta(ge=0, description="What it takes on disk.")]
    max_bytes: Annotated[int, Meta(ge=0, description="What it may take.")]
    oldest_seconds: Annotated[float | None, Meta(description="The age of the oldest batch that waits.")]
    damaged: Annotated[int, Meta(ge=0, description="How many batches were lost to damage on disk.")]
    full: Annotated[bool, Meta(description="Whether it takes nothing more.")]


class SymbolStatus(Struct, kw_only=True):
    """The symbol table of one source."""

    pairs: Count
    refreshed_at: datetime | None
    last_error: str | None


class ConfigMistake(Struct, kw_only=True):
    """One thing that is wrong: in which file, at which key."""

    file: str
    path: str
    message: str


class ConfigRefused(Struct, kw_only=True):
    """Why what runs is not what the files say."""

    at: datetime
    reason: str
    mistakes: list[ConfigMistake]


class ConfigStatus(Struct, kw_only=True):
    """How what runs goes with the config files."""

    folder: Annotated[str | None, Meta(description="What is watched; null for the shipped config, which is not.")]
    last_loaded_at: datetime
    last_error: ConfigRefused | None
    needs_restart: Annotated[list[str], Meta(description="Changed settings that take effect after a restart.")]


class Status(Struct, kw_only=True):
    """How everything is."""

    status: Literal["ok", "not ready"]
    version: str
    started_at: datetime
    uptime_seconds: float
    connectors: Annotated[dict[str, list[str]], Meta(description="The ids of connectors by their state.")]
    stale: Annotated[
        list[str], Meta(description="The ids of connectors that brought nothing fresh within `stale_after_seconds`.")
    ]
    config: ConfigStatus
    actors: list[Actor]
    channels: dict[str, ChannelFill]
    loader: LoaderStatus
    database: Annotated[
        dict[str, Any], Meta(description="Which it is, its connections, restarts, last error and retention.")
    ]
    spool: SpoolStatus
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
