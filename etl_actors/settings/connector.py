"""A connector as people write it: one schema for TOML files, REST bodies and Python.

Everything about a provider is here as data (urls, limits, symbol tables, JMESPath mappings), so that no Python knows
any provider by name.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from .paging import Cursor, Pages, PagesWord, pages_of
from .secret import Secret, encode_masked
from .sequence import Sequence
from .service import Positive
from .streams import HandshakeStep, Heartbeat, Seconds
from .terms import Expression, Name, Scalar, scalar_text

CONNECTOR_ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}\Z"
RESERVED_IDS = frozenset({"items", "extract", "upload"})
SECONDS_PER = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "month": 2_592_000}

# A schedule must stay within what a date can tell.
LONGEST_INTERVAL_SECONDS = 31_536_000
LONGEST_TIMEOUT_SECONDS = 3600

# What a table of a connector may hold: its names go into every request or item.
MOST_ENTRIES = 200

ShortText = Annotated[str, Meta(max_length=255)]
HttpMethod = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
ConnectorId = Annotated[str, Meta(pattern=CONNECTOR_ID)]


class NoAuth(Struct, frozen=True, forbid_unknown_fields=True, tag="none"):
    """The provider asks for nothing."""


class ApiKeyAuth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="api_key"):
    """A key in a header or in a query parameter. An empty value sends nothing, a forgotten one is a mistake."""

    value: Secret
    header: str = ""
    param: str = ""
    prefix: str = ""


class BearerAuth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="bearer"):
    """``Authorization: Bearer TOKEN``. An empty token sends nothing."""

    token: Secret


class BasicAuth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="basic"):
    """A name and a password, as HTTP has them. Nothing is sent while either is empty.

    The name is kept as a secret, too: many providers take their key in its place.
    """

    username: Secret
    password: Secret


class HmacAuth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hmac"):
    """A signature over query and body, a time in milliseconds among them. Nothing is sent while either key is empty.

    ``recv_window`` is for how many milliseconds after that time the provider may accept the request.
    """

    key: Secret
    secret: Secret
    algorithm: Literal["sha256", "sha384", "sha512"] = "sha256"
    key_header: Name = "X-MBX-APIKEY"
    timestamp_param: Name = "timestamp"
    recv_window: Annotated[int, Meta(ge=1)] | None = None
    signature_param: Name = "signature"


class OAuth2Auth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="oauth2"):
    """Client credentials, exchanged at ``token_url`` for a token. Nothing is sent while id or secret is empty."""

    token_url: str
    client_id: str
    client_secret: Secret
    scopes: tuple[Name, ...] = ()


Auth = NoAuth | ApiKeyAuth | BearerAuth | BasicAuth | HmacAuth | OAuth2Auth


class LimitSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one provider allows, shared by every connector that names it. ``None`` means not limited.

    ``weight_per_minute`` counts each call's ``cost``; the ``requests_per_…`` count calls.
    """

    weight_per_minute: Positive | None = None
    requests_per_second: Positive | None = None
    requests_per_minute: Positive | None = None
    requests_per_hour: Positive | None = None
    requests_per_day: Positive | None = None
    requests_per_month: Positive | None = None
    honour_headers: bool = True

    def request_windows(self) -> dict[str, tuple[float, int]]:
        """Each declared request limit: ``{"minute": (calls, seconds)}``."""
        declared = {name: getattr(self, f"requests_per_{name}") for name in SECONDS_PER}
        return {name: (calls, SECONDS_PER[name]) for name, calls in declared.items() if calls is not None}


class SymbolSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a source publishes which pair is made of which assets; JMESPath tells where in the answer."""

    url: str
    refresh_seconds: Positive = 3600
    timeout_seconds: Positive = 20
    params: dict[str, Scalar] = {}
    limit: str | None = None
    cost: Annotated[int, Meta(ge=0, le=1_000_000)] = 1
    each: Expression = "symbols"
    pair: Expression = "symbol"
    base: Expression = "baseAsset"
    quote: Expression = "quoteAsset"


class ItemMapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one response becomes items; every value is JMESPath, a field that is not named stays null."""

    each: Expression = "@"
    single: bool = False
    skip: Expression | None = None
    coin_name: Expression | None = None
    coin_symbol: Expression | None = None
    quote_symbol: Expression | None = None
    price: Expression | None = None
    market_cap: Expression | None = None
    volume_24h: Expression | None = None
    price_change_24h: Expression | None = None
    market_cap_rank: Expression | None = None
    extra: Annotated[dict[str, Expression], Meta(max_length=MOST_ENTRIES)] = {}


class ConnectorSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source of data and everything about how it is read."""

    connector_id: ConnectorId
    url: str
    connector_name: ShortText = ""
    source_id: ShortText = ""
    kind: Literal["rest", "websocket", "replay"] = "rest"
    method: HttpMethod = "GET"
    params: Annotated[dict[str, Scalar], Meta(max_length=MOST_ENTRIES)] = {}
    headers: Annotated[dict[str, str], Meta(max_length=MOST_ENTRIES)] = {}
    interval_seconds: Annotated[float, Meta(ge=0, le=LONGEST_INTERVAL_SECONDS)] = 10
    timeout_seconds: Annotated[float, Meta(gt=0, le=LONGEST_TIMEOUT_SECONDS)] = 10
    limit: str | None = None
    cost: Annotated[int, Meta(ge=0, le=1_000_000)] = 1
    store: Literal["all", "changed"] = "all"
    enabled: bool = True
    auth: Auth = NoAuth()
    error: Expression | None = None
    stale_after_seconds: Positive | None = None
    expected_response_bytes: Annotated[int, Meta(ge=1)] | None = None  # for the estimates of `check` only
    expected_items: Annotated[int, Meta(ge=0)] | None = None  # for the estimates of `check` only
    items: ItemMapping | None = None
    pagination: Pages | PagesWord | None = None
    cursor: Cursor | None = None
    # The rest is for kind = "websocket".
    handshake: tuple[HandshakeStep, ...] = ()
    heartbeat: Heartbeat | None = None
    message_type: Expression | None = None
    ignore: Expression | None = None
    sequence: Sequence | None = None
    max_age_seconds: Seconds | None = None
    reconnect_on: Expression | None = None
    overlap_seconds: Annotated[float, Meta(ge=0, le=60)] = 2
    duplicate_key: Expression | None = None
    messages_per_second: Annotated[float, Meta(gt=0, le=1000)] = 5

    @property
    def api_name(self) -> str:
        """The name people gave it, or its id."""
        return self.connector_name or self.connector_id

    def request_params(self) -> dict[str, str]:
        """The query as text; booleans as JSON writes them."""
        return {name: scalar_text(value) for name, value in self.params.items()}

    def fingerprint(self) -> bytes:
        """16 bytes that change when url, params or mapping do, and what was read before no longer counts."""
        identity: list[object] = [self.url, self.method, self.params, self.headers, self.error, self.items]
        if self.pagination is not None:
            identity.append(pages_of(self.pagination))
        if self.sequence is not None:
            identity.append(self.sequence)
        return hashlib.sha256(msgspec.json.encode(identity, enc_hook=encode_masked)).digest()[:16]
