"""Reads a query string into the page that is wanted, or says which value of it is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from ..paging import Key, Page
from .parameters import Arguments, Choice, Moment, Parameter, Text, Whole, checked_text

DEFAULT_LIMIT = 100
MAX_LIMIT = 10_000
MAX_EXPORT = 10**15
MAX_OFFSET = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# So many digits that every number is a moment of the calendar and an id of the database.
PLACE = r"^[0-9]{1,17}-[0-9]{1,18}$"


class Place(Parameter, frozen=True, kw_only=True):
    """The place of a row in time order, as an answer's ``next`` names it: microseconds since 1970, and its id."""

    def schema(self) -> dict[str, Any]:
        """A string of which every one is a place."""
        return {"type": "string", "pattern": PLACE}

    def read(self, arguments: Arguments) -> Key | None:
        """The key, or None."""
        token = arguments.get(self.name)
        if token is None:
            return None
        if not re.fullmatch(PLACE, token, re.ASCII):
            raise self.refused("is not a place that an earlier answer's next link named")
        microseconds, _, row_id = token.partition("-")
        return EPOCH + timedelta(microseconds=int(microseconds)), int(row_id)

    def text(self, key: Key) -> str:
        """What is read as this key."""
        return f"{(key[0] - EPOCH) // timedelta(microseconds=1)}-{key[1]}"


class Numbers(Parameter, frozen=True, kw_only=True):
    """A place that is told by ``count`` numbers, as an answer's ``next`` names it."""

    count: int

    def schema(self) -> dict[str, Any]:
        """A string of which every one is a place."""
        return {"type": "string", "pattern": "^" + r"\.".join(["[0-9]{1,18}"] * self.count) + "$"}

    def read(self, arguments: Arguments) -> tuple[int, ...] | None:
        """The numbers, or None."""
        token = arguments.get(self.name)
        if token is None:
            return None
        if not re.fullmatch(self.schema()["pattern"], token, re.ASCII):
            raise self.refused("is not a place that an earlier answer's next link named")
        return tuple(map(int, token.split(".")))


LIMIT = Whole(
    name="limit",
    description="How many rows at most. CSV and NDJSON hold all rows unless it is given, and it may be larger there.",
    low=1,
    high=MAX_LIMIT,
    default=DEFAULT_LIMIT,
)
EXPORT_LIMIT = Whole(name="limit", description="How many rows at most.", low=1, high=MAX_EXPORT, default=MAX_EXPORT)
OFFSET = Whole(
    name="offset",
    description="How many rows to pass over. `next` is quicker and stays true while rows are added.",
    low=0,
    high=MAX_OFFSET,
    default=0,
)
ORDER = Choice(
    name="order",
    description="Newest first (`-timestamp`) or oldest first (`timestamp`).",
    choices=("-timestamp", "timestamp", "timestamp DESC", "timestamp ASC"),
    default="-timestamp",
    refusal="must be timestamp or -timestamp (timestamp ASC or timestamp DESC work too)",
)
SINCE = Moment(
    name="since", description="Only what was received at this time or later: `2025-12-08T16:00:00Z` (RFC 3339)."
)
UNTIL = Moment(name="until", description="Only what was received before this time.")
CONNECTOR = Text(name="connector_id", description="Only of this connector, such as `binance_24hr`.")
SYMBOL = Text(name="symbol", description="Only of this symbol, such as `BTC`, whatever the case.")
EXCHANGE = Text(name="exchange", description="Only of this source, such as `binance`.")
AFTER = Place(name="after", description="Continue behind this place: part of the link in `next`.")
AFTER_FILE = Numbers(name="after", description="Continue behind this place: part of the link in `next`.", count=1)
AFTER_ROW = Numbers(name="after", description="Continue behind this place: part of the link in `next`.", count=2)
COUNT = Choice(
    name="count",
    description="`exact` counts all rows that match, which can take long; without it `total` may be a lower bound.",
    choices=("exact",),
    refusal="must be exact, or be left out",
)

PAGING: tuple[Parameter, ...] = (LIMIT, OFFSET)
ALL = Choice(
    name="all",
    description="`true` says that those of every connector are meant. Without it `connector_id` is needed.",
    choices=("true",),
    refusal="must be true, or be left out",
)
BACKLOG_LIMIT = Whole(
    name="limit", description="How many to try at most before this is answered.", low=1, high=MAX_LIMIT, default=1_000
)
DROP_LIMIT = Whole(name="limit", description="How many to delete at most.", low=1, high=MAX_EXPORT, default=MAX_EXPORT)
REJECTED_FILTERS: tuple[Parameter, ...] = (*PAGING, SINCE, UNTIL, AFTER, CONNECTOR)
BACKLOG: tuple[Parameter, ...] = (CONNECTOR, ALL, SINCE, UNTIL)
RESPONSE_FILTERS: tuple[Parameter, ...] = (*PAGING, ORDER, SINCE, UNTIL, AFTER, COUNT)
ITEM_FILTERS: tuple[Parameter, ...] = (*RESPONSE_FILTERS, SYMBOL, EXCHANGE)


def read_page(arguments: Mapping[str, str], *, unlimited: bool = False, **fixed: str) -> Page:
    """The page a request wants; ``fixed`` are values that the path gives.

    ``unlimited`` means that all rows are wanted where no limit is given.
    """
    texts = {name: checked_text(name, value) for name, value in arguments.items()} | fixed
    return Page(
        connector_id=CONNECTOR.read(texts),
        symbol=SYMBOL.read(texts),
        exchange=EXCHANGE.read(texts),
        since=SINCE.read(texts),
        until=UNTIL.read(texts),
        newest_first=ORDER.read(texts) in {"-timestamp", "timestamp DESC"},
        limit=(EXPORT_LIMIT if unlimited else LIMIT).read(texts),
        offset=OFFSET.read(texts),
        after=AFTER.read(texts),
        exact_total=COUNT.read(texts) == "exact",
    )


def read_backlog(arguments: Mapping[str, str], limit: Whole) -> Page:
    """Which rejected payloads a request means, oldest first. Nobody means all of them by leaving something out."""
    connector_id, every = CONNECTOR.read(arguments), ALL.read(arguments) is not None
    if (connector_id is None) is not every:
        raise CONNECTOR.refused("is needed, or all=true in its place" if connector_id is None else "contradicts all")
    return Page(
        connector_id=connector_id,
        since=SINCE.read(arguments),
        until=UNTIL.read(arguments),
        newest_first=False,
        limit=limit.read(arguments),
        after=AFTER.read(arguments),
    )


def next_link(path: str, arguments: Mapping[str, str], key: Key | None) -> str | None:
    """The link to the page that follows ``key``, with the filters of this one."""
    if key is None:
        return None
    kept = {name: value for name, value in arguments.items() if name not in {"offset", "after"}}
    return f"{path}?{urlencode(kept | {AFTER.name: AFTER.text(key)})}"


def read_slice(arguments: Mapping[str, str], *, unlimited: bool = False) -> tuple[int, int]:
    """``limit`` and ``offset`` alone. ``unlimited`` means that all rows are wanted where no limit is given."""
    return (EXPORT_LIMIT if unlimited else LIMIT).read(arguments), OFFSET.read(arguments)


def next_numbers(path: str, arguments: Mapping[str, str], *numbers: int) -> str:
    """The link to the page behind a place that is told by numbers, with the filters of this one."""
    kept = {name: value for name, value in arguments.items() if name not in {"offset", "after"}}
    return f"{path}?{urlencode(kept | {'after': '.'.join(map(str, numbers))})}"
