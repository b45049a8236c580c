"""The story of the system, told as the messages its rooms send each other.

A **connector** begins by claiming its place: a :class:`Claim` makes it the owner under a new epoch (whoever owned it
before can commit nothing for it any more) and tells its :class:`Checkpoint`, where the last commit ended. Its source
gives it a :class:`Reading`, one answer of a provider read whole; the connector says :class:`Extracted`.

The **transformer** maps that and says :class:`Transformed`: the response, its :class:`Item` rows, and a
:class:`Rejected` for everything that could not be mapped. The **loader** gathers a :class:`Batch` of those, commits it
(data, checkpoints and places in the log in one transaction) and says :class:`Loaded`: the :class:`Event` of each, with
the offset the commit gave it, encoded once. The **broadcaster** hands the same bytes to every subscriber.

A **file** somebody uploads comes another way: a :class:`DeclaredFile` is what is said of it, a :class:`NewFile` goes
into storage with its rows, :class:`FileContents` are known at their end, and a :class:`StoredFile` is what is there
then.

Each is frozen: what was said is not changed by who hears it. Numbers are texts in plain decimal notation
(:data:`Number`), exactly as many digits as the provider sent: they go into NUMERIC and out as JSON numbers, and never
through a float.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePosixPath
from time import monotonic
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct, field

from .damage import Damage

UNOWNED = 0
"""The epoch of what no connector read (a caller asked for it once): no state moves with it, and nobody owns it."""

Number = str
"""A decimal number as plain text: ``-?digits[.digits]``, no exponent, no leading zeros."""


class Checkpoint(Struct, frozen=True, kw_only=True):
    """What the next incarnation of a connector continues from; committed with the data it belongs to.

    ``fingerprint`` ties it to the url, params and mapping it was made under (16 bytes); ``body_hash`` is the SHA-256 of
    the last body (32 bytes; of a list in pages one for each, in their order). ``cursor`` is JSON: the text that the
    provider is asked to begin after, or that and the place within a list of pages that is not read to its end.
    """

    fingerprint: bytes = b""
    etag: str | None = None
    last_modified: str | None = None
    body_hash: bytes | None = None
    cursor: Any = None


class Claim(Struct, frozen=True, kw_only=True):
    """A connector is ours under ``epoch``; ``checkpoint`` is where its last commit ended. ``told`` is the data of the
    last notice of its state, as JSON values; None when there was none.
    """

    epoch: int
    checkpoint: Checkpoint
    told: Any = None


class Page(Struct, frozen=True, kw_only=True):
    """Which part of a provider's list is asked for: ``params`` of its own beside those of the connector, or a ``link``,
    a whole url that the provider gave, in place of the connector's.
    """

    params: dict[str, str] = {}
    link: str | None = None


class Onward(Struct, frozen=True, kw_only=True):
    """What a document says about what comes after it: the token of the ``next_page``, and the ``cursor``, as texts."""

    next_page: str | None = None
    cursor: str | None = None


class Reading(Struct, frozen=True, kw_only=True):
    """What a source read: one whole body, inflated, with what the provider said about it.

    ``received_at`` is UTC; ``response_time_ms`` counts from sending the request to the last byte; ``params`` are those
    of the request; ``next_link`` is the url that its ``Link`` header leads on to, without credentials.
    """

    body: bytes
    received_at: datetime
    response_time_ms: int
    etag: str | None = None
    last_modified: str | None = None
    params: dict[str, str] = {}
    next_link: str | None = None


Kind = Literal["response", "frame", "message", "notice", "element"]
"""What something is, that is stored and has an event: an answer that was polled, a frame of a stream, an application
message of a client, what we have to say ourselves (a connector's state, a gap in a stream), or one element of an answer
that was rejected alone and could be mapped later. The last two have no body of their own."""

RejectedKind = Literal["response", "frame", "element"]
"""What was rejected: a payload as a whole, or one element of it."""

RejectedKey = tuple[datetime, int]
"""The place of a rejected payload: when it was received, and its id."""


class Extracted(Struct, frozen=True, kw_only=True):
    """One answer or frame of a provider, read whole, or a notice about it: from here on it must not be lost.

    ``document`` is the decoded JSON (floats as :class:`decimal.Decimal`); ``refusal`` says why there is none, and
    ``damage`` what of it cannot be kept.
    ``received_at`` is UTC, ``response_time_ms`` counts from sending the request to the last byte. The ``checkpoint`` of
    a notice is not looked at: it moves nothing, but its ``epoch`` is judged like that of any other.
    """

    extraction_id: UUID
    connector_id: str
    epoch: int
    received_at: datetime
    response_time_ms: int
    body: bytes
    checkpoint: Checkpoint
    params: dict[str, str] = {}
    document: Any = None
    refusal: str | None = None
    damage: Damage | None = None
    kind: Kind = "response"
    message_type: str | None = None


class Gap(Struct, frozen=True, kw_only=True):
    """What a stream did not bring, by its own numbers: of ``key`` those from ``first`` to ``last``, None where a gap is
    known by its time only. As JSON it is the data of the notice: ``{"key", "from", "to"}``.
    """

    key: str = ""
    first: int | None = field(name="from", default=None)
    last: int | None = field(name="to", default=None)


class Item(Struct, frozen=True, kw_only=True, gc=False):
    """One coin or pair at one moment. What the provider did not say is None; ``extra`` is a JSON object as text."""

    coin_name: str | None = None
    coin_symbol: str | None = None
    quote_symbol: str | None = None
    price: Number | None = None
    market_cap: Number | None = None
    volume_24h: Number | None = None
    price_change_24h: Number | None = None
    market_cap_rank: int | None = None
    extra: str | None = None


class Rejected(Struct, frozen=True, kw_only=True):
    """A payload or an element that could not be mapped: its raw bytes, the reason, and where in the payload it was.

    ``position`` is the place of an element in its list, from 1; ``fingerprint`` is that of the connector it was refused
    under (16 bytes).
    """

    connector_id: str
    received_at: datetime
    raw: bytes
    reason: str
    where: str = ""
    kind: RejectedKind = "response"
    position: int | None = None
    response_time_ms: int | None = None
    fingerprint: bytes = b""


class StoredRejected(Struct, frozen=True, kw_only=True):
    """A rejected payload that is stored, without its raw bytes, of which there are ``size``.

    ``kind``, ``response_time_ms`` and ``fingerprint`` are None where nobody remembers.
    """

    id: int
    connector_id: str
    received_at: datetime
    reason: str
    where: str
    size: int
    kind: RejectedKind | None = None
    position: int | None = None
    response_time_ms: int | None = None
    fingerprint: bytes | None = None

    @property
    def key(self) -> RejectedKey:
        """Its place in time order."""
        return self.received_at, self.id


class Transformed(Struct, frozen=True, kw_only=True):
    """One extraction, ready to be stored. ``body`` is what was read or said, as JSON.

    ``message_type`` is what a frame is to its provider, what a message calls itself, and the type of a notice's event.
    ``api_name`` and ``exchange`` are the connector's names of that moment. ``store_response`` is false when the body
    itself was refused: it is then in ``rejected`` instead, and no event is made of it. ``replays`` is the rejected
    payload that this is made of: it goes in the same commit, and where it is gone already nothing is stored.
    ``sources`` are the elements that the items were made of, each with its place in the answer, from 1.
    """

    extraction_id: UUID
    connector_id: str
    api_name: str
    exchange: str
    epoch: int
    received_at: datetime
    response_time_ms: int
    body: bytes
    checkpoint: Checkpoint
    has_items: bool = False
    items: tuple[Item, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    store_response: bool = True
    kind: Kind = "response"
    message_type: str | None = None
    replays: RejectedKey | None = None
    sources: tuple[tuple[int, Any], ...] = ()

    @property
    def has_body(self) -> bool:
        """Whether its body becomes a row."""
        return self.store_response and self.kind not in {"notice", "element"}

    @property
    def event_type(self) -> str:
        """``price_update`` where items are the event, ``data_update`` where the body is, else what it calls itself."""
        if self.kind in {"message", "notice"}:
            return self.message_type or self.kind
        # Of the many kinds of frames of a stream only some have items; the others are events all the same.
        return "price_update" if self.has_items and (self.items or self.kind == "response") else "data_update"

    @property
    def rows(self) -> int:
        """How many rows this adds to the tables."""
        return len(self.items) + len(self.rejected) + int(self.has_body)


class Batch(Struct, frozen=True, kw_only=True):
    """What is committed together. ``batch_id`` makes storing it twice impossible; ``left_by`` says why it left:
    ``size``, ``age`` or ``end``.
    """

    batch_id: UUID
    parts: tuple[Transformed, ...]
    left_by: str

    @property
    def rows(self) -> int:
        """How many rows this adds to the tables."""
        return sum(part.rows for part in self.parts)


class Occurrence(Struct, frozen=True, kw_only=True):
    """Something that subscribers hear of: ``encoded`` is the whole JSON text, made once for everybody.

    Of a ``price_update``, ``items`` are its items one by one, each as ``(symbol in upper case, its JSON text)``, for
    whoever wants some of them only.
    """

    event_id: UUID
    type: str
    connector_id: str
    timestamp: datetime
    encoded: bytes
    items: tuple[tuple[str, bytes], ...] = ()


class Event(Occurrence, frozen=True, kw_only=True):
    """One entry of the log, as it leaves on ``/ws``."""

    offset: int


class Unstored(Occurrence, frozen=True, kw_only=True):
    """What will be an entry of the log under the same ``event_id``; until it can be stored it has no offset."""

    offset: None = None


class Loaded(Struct, frozen=True, kw_only=True):
    """A batch that is safe: since ``at``, on the monotonic clock. One that is committed brings its events in the order
    of their offsets; one that waits on disk for the database brings them without.
    """

    events: tuple[Event | Unstored, ...]
    at: float = field(default_factory=monotonic)


FileKind = Literal["upload", "processed"]


class DeclaredFile(Struct, frozen=True, kw_only=True):
    """What a caller says about a file; "" where it says nothing. ``must_be`` is what is asked to be read from it."""

    filename: str = ""
    content_type: str = ""
    encoding: str = ""
    delimiter: str = ""
    must_be: Literal["csv", "json"] | None = None

    @property
    def ending(self) -> str:
        """``csv`` of ``Prices.CSV``."""
        return PurePosixPath(self.filename).suffix[1:].lower()


class NewFile(Struct, frozen=True, kw_only=True):
    """A file that arrived whole and is about to be stored. ``stored_name`` is its name on disk."""

    kind: FileKind
    filename: str
    stored_name: str
    file_type: str
    encoding: str
    delimiter: str | None


class FileContents(Struct, frozen=True, kw_only=True):
    """What was in a file, known once it was read to its end."""

    file_size: int
    row_count: int
    columns: Sequence[Any]
    bad_rows: dict[str, Any]


class StoredFile(Struct, frozen=True):
    """A file that is stored. ``row_count``, ``encoding`` and the like are None where nobody knows."""

    id: int
    kind: str
    filename: str
    stored_name: str | None
    file_type: str
    file_size: int
    row_count: int | None
    uploaded_at: datetime
    encoding: str | None
    delimiter: str | None
    columns: Sequence[Any] | None
    bad_rows: dict[str, Any] | None
