"""Every knob of the service, typed, with its unit in its name and its default here.

``config/service.toml`` explains each one to the people who set it; this file is what it is decoded into, strictly:
an unknown key or a wrong type is refused with its path.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from .secret import Secret

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]
Bytes = Annotated[int, Meta(ge=0)]


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the service listens and how it stops."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    cors_origins: tuple[str, ...] = ("http://localhost:5173", "http://localhost:3000")
    drain_seconds: NotNegative = 10
    max_body_bytes: Count = 1_073_741_824
    trusted_proxies: tuple[str, ...] = ()
    workers: Count = 1


class Database(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which PostgreSQL, and how many connections to it. An empty url means the embedded one."""

    url: Secret = field(default_factory=Secret)
    min_connections: Count = 5
    max_connections: Count = 20


class Loader(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a batch leaves."""

    max_batch_rows: Count = 10_000
    max_batch_age_seconds: Positive = 0.1


class Spool(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much waits on disk while the database is away."""

    max_bytes: Bytes = 2_147_483_648


class Retention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long stored data lives. 0 days keep for ever; ``max_bytes`` 0 is no cap."""

    responses_days: NotNegative = 2
    items_days: NotNegative = 7
    events_days: NotNegative = 2
    files_days: NotNegative = 0
    max_bytes: Bytes = 10_000_000_000


class Live(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a subscriber may cost."""

    subscriber_buffer_bytes: Count = 1_048_576
    stuck_seconds: Positive = 60
    position_seconds: Positive = 15


class Upstream(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider's answer may cost, and how we introduce ourselves."""

    max_response_bytes: Count = 67_108_864
    max_depth: Annotated[int, Meta(ge=1, le=500)] = 200
    max_values: Count = 2_000_000
    user_agent: str = ""


class Security(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may talk to the service and how often, and whom it may talk to for them. 0 requests a minute is no limit."""

    require_keys: Literal["auto", "yes", "no"] = "auto"
    failed_keys_per_minute: Count = 30
    requests_per_minute: Annotated[int, Meta(ge=0)] = 0
    allow_private_targets: bool = False


class Logging(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much the log says."""

    debug: bool = False


class ServiceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of service.toml."""

    server: Server = Server()
    database: Database = field(default_factory=Database)
    loader: Loader = Loader()
    spool: Spool = Spool()
    retention: Retention = Retention()
    live: Live = Live()
    upstream: Upstream = Upstream()
    security: Security = Security()
    logging: Logging = Logging()


# What a key that no file names is read from. The texts are those of the shipped service.toml.
DEFAULT_REFERENCES = {
    "database": {"url": "${DATABASE_URL:-}"},
    "server": {"workers": "${WORKERS:-1}"},
    "logging": {"debug": "${DEBUG:-false}"},
}
