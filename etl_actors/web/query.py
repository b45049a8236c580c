"""Reads a query string into the page that is wanted, or says which value of it is wrong."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from ..paging import Key, Page
from .problems import invalid

DEFAULT_LIMIT = 100
MAX_LIMIT = 10_000
MAX_EXPORT = 10**15
MAX_OFFSET = 1_000_000_000

_NEWEST_FIRST = {"-timestamp", "timestamp desc"}
_OLDEST_FIRST = {"timestamp", "timestamp asc"}
# A "+" in a query string arrives as a space: "2025-12-08T16:00:00+01:00" is what was meant.
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)$")


def read_page(arguments: Mapping[str, str], *, unlimited: bool = False, **fixed: str) -> Page:
    """The page a request wants; ``fixed`` are values that the path gives.

    ``unlimited`` means that all rows are wanted where no limit is given.
    """
    most = MAX_EXPORT if unlimited else MAX_LIMIT
    texts = {name: _text(name, value) for name, value in arguments.items()} | fixed
    return Page(
        connector_id=texts.get("connector_id") or None,
        symbol=texts.get("symbol") or None,
        exchange=texts.get("exchange") or None,
        since=_time("since", texts.get("since")),
        until=_time("until", texts.get("until")),
        newest_first=_newest_first(texts.get("order")),
        limit=_whole("limit", texts.get("limit"), 1, most, most if unlimited else DEFAULT_LIMIT),
        offset=_whole("offset", texts.get("offset"), 0, MAX_OFFSET, 0),
        after=_key(texts.get("after")),
        exact_total=_exact(texts.get("count")),
    )


def next_link(path: str, arguments: Mapping[str, str], key: Key | None) -> str | None:
    """The link to the page that follows ``key``, with the filters of this one."""
    if key is None:
        return None
    token = base64.urlsafe_b64encode(f"{key[0].isoformat()}|{key[1]}".encode()).decode().rstrip("=")
    kept = {name: value for name, value in arguments.items() if name not in {"offset", "after"}}
    return f"{path}?{urlencode(kept | {'after': token})}"


def read_slice(arguments: Mapping[str, str], *, unlimited: bool = False) -> tuple[int, int]:
    """``limit`` and ``offset`` alone. ``unlimited`` means that all rows are wanted where no limit is given."""
    most = MAX_EXPORT if unlimited else MAX_LIMIT
    limit = _whole("limit", arguments.get("limit"), 1, most, most if unlimited else DEFAULT_LIMIT)
    return limit, _whole("offset", arguments.get("offset"), 0, MAX_OFFSET, 0)


def read_numbers(arguments: Mapping[str, str], count: int) -> tuple[int, ...] | None:
    """The numbers of an ``after`` that :func:`next_numbers` made."""
    text = arguments.get("after")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,18}(?:\.[0-9]{1,18})*", text) or text.count(".") != count - 1:
        raise invalid("query.after", "is not a place that an earlier answer's next link named")
    return tuple(map(int, text.split(".")))


def next_numbers(path: str, arguments: Mapping[str, str], *numbers: int) -> str:
    """The link to the page behind a place that is told by numbers, with the filters of this one."""
    kept = {name: value for name, value in arguments.items() if name not in {"offset", "after"}}
    return f"{path}?{urlencode(kept | {'after': '.'.join(map(str, numbers))})}"


def _text(name: str, value: str) -> str:
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise invalid(f"query.{name}", "holds a character that no stored text has")
    return value


def _whole(name: str, text: str | None, low: int, high: int, default: int) -> int:
    if text is None or text == "":
        return default
    if not re.fullmatch(r"-?[0-9]{1,18}", text) or not low <= int(text) <= high:
        raise invalid(f"query.{name}", f"must be a whole number from {low} to {high}")
    return int(text)


def _time(name: str, text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(_LOST_PLUS.sub(r"+\1", text))
        if moment.tzinfo is None:
            raise invalid(f"query.{name}", "needs a time zone, as in 2025-12-08T16:00:00Z")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid(f"query.{name}", "must be a time such as 2025-12-08T16:00:00Z (RFC 3339)") from None


def _newest_first(text: str | None) -> bool:
    order = " ".join((text or "-timestamp").lower().split())
    if order in _NEWEST_FIRST | _OLDEST_FIRST:
        return order in _NEWEST_FIRST
    raise invalid("query.order", "must be timestamp or -timestamp (timestamp ASC or timestamp DESC work too)")


def _exact(text: str | None) -> bool:
    if text in {None, "", "exact"}:
        return text == "exact"
    raise invalid("query.count", "must be exact, or be left out")


def _key(token: str | None) -> Key | None:
    if not token:
        return None
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        moment, _, row_id = text.partition("|")
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None or not 0 <= int(row_id) < 2**63:
            raise ValueError(token)
        return at, int(row_id)
    except (ValueError, binascii.Error, UnicodeDecodeError):
        raise invalid("query.after", "is not a place that an earlier answer's next link named") from None
