"""What a value is, and what a column of them is: the narrowest kind that all of them are of, and no narrower.

Texts of CSV are read as numbers, booleans and times where every one of a column is; a number with a leading zero is a
text (``007`` is a name). JSON already says what is a number: its texts are only looked at for dates. Empty is null.
Numbers keep the digits they were written with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

MAX_NUMBER_CHARS = 1_000
MAX_EXPONENT = 1_000

INTEGER, NUMBER, BOOLEAN, DATE, DATETIME, STRING = "integer", "number", "boolean", "date", "datetime", "string"
ARRAY, OBJECT, MIXED = "array", "object", "mixed"

_is_integer = re.compile(r"-?(?:0|[1-9][0-9]*)").fullmatch
_is_number = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,6}))?").fullmatch
_is_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_is_datetime = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(?: ?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2}))?"
).fullmatch
_BOOLEANS = {"true": True, "false": False}


def kind_of_text(text: str) -> str | None:
    """The kind of one cell; None for an empty one."""
    text = text.strip()
    if not text:
        return None
    first = text[0]
    if not (first.isascii() and first in "-.0123456789tTfF") or len(text) > MAX_NUMBER_CHARS:
        return STRING
    if _is_integer(text):
        return INTEGER
    number = _is_number(text)
    if number:
        return NUMBER if abs(int(number[1] or 0)) <= MAX_EXPONENT else STRING
    if text.lower() in _BOOLEANS:
        return BOOLEAN
    return kind_of_time(text) or STRING


def kind_of_time(text: str) -> str | None:
    """``date`` or ``datetime`` for a moment that exists, ISO 8601."""
    try:
        if _is_date(text):
            date.fromisoformat(text)
            return DATE
        if _is_datetime(text):
            _moment(text).astimezone(UTC)  # which does not exist for the first and the last hours of time
            return DATETIME
    except (ValueError, OverflowError):
        pass
    return None


def kind_of_value(value: Any) -> str | None:
    """The kind of one JSON value; None for null and for empty text."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return kind_of_time(value) or STRING
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int):
        return INTEGER
    if isinstance(value, Decimal):
        return NUMBER
    return ARRAY if isinstance(value, list) else OBJECT


def joined(one: str | None, other: str | None) -> str | None:
    """The kind of a column that holds both."""
    if one == other or other is None:
        return one
    if one is None:
        return other
    both = {one, other}
    if both == {INTEGER, NUMBER}:
        return NUMBER
    return MIXED if both & {ARRAY, OBJECT, MIXED} else STRING


def converter(kind: str | None) -> Callable[[Any], Any]:
    """Makes what is written of a value of a column of ``kind``."""
    return _CONVERTERS.get(kind, _as_text) if kind is not None else _as_null


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.upper().replace(" Z", "Z").replace(" +", "+").replace(" -", "-"))


def _as_null(value: Any) -> None:
    return None


def _as_text(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _as_number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text:
        return None
    if text.startswith((".", "-.")):
        text = text.replace(".", "0.", 1)
    return msgspec.Raw(text.encode("ascii"))


def _as_boolean(value: Any) -> Any:
    return _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else value


def _as_date(value: Any) -> Any:
    return (value.strip() or None) if isinstance(value, str) else value


def _as_datetime(value: Any) -> Any:
    """ISO 8601; in UTC with ``Z`` where it had a zone, without one where it had none."""
    text = _as_date(value)
    if text is None:
        return None
    moment = _moment(text)
    if moment.tzinfo is None:
        return moment.isoformat()
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _as_it_is(value: Any) -> Any:
    return None if value == "" else value


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    INTEGER: _as_number,
    NUMBER: _as_number,
    BOOLEAN: _as_boolean,
    DATE: _as_date,
    DATETIME: _as_datetime,
    STRING: _as_text,
    ARRAY: _as_it_is,
    OBJECT: _as_it_is,
    MIXED: _as_it_is,
}
