"""JSON objects as rows: from an array, one after another, or one a line.

A row is decoded to be checked, and stored as the text it came as: PostgreSQL's jsonb keeps every digit of it. What
jsonb would refuse is refused here, where the line is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TextIO

import msgspec

from .encoding import UNREADABLE, unreadable
from .json_values import split_values
from .lines import Lines
from .rows import MAX_COLUMNS, MAX_NAME_CHARS, BadRows, RowRefused

MAX_DEPTH = 200
MAX_DIGITS = 1_000
MAX_EXPONENT = 1_000
_ENDLESS = f"holds a number of more than {MAX_DIGITS:,} digits, or with an exponent beyond ±{MAX_EXPONENT:,}"
_TOO_DEEP = f"is nested more than {MAX_DEPTH} levels deep"


class JsonTable:
    """The rows of an open text file. ``by_line``: each line is one (NDJSON). Read once.

    ``tabular``: a row with which there would be more than ``MAX_COLUMNS`` columns, or one with a longer name than
    ``MAX_NAME_CHARS``, is a bad one; otherwise its keys are only not listed.
    """

    delimiter: str | None = None

    def __init__(self, text: TextIO, *, by_line: bool, encoding: str, tabular: bool = False) -> None:
        self.file_type = "ndjson" if by_line else "json"
        self.encoding = encoding
        self.bad = BadRows()
        self._texts = self._lines(text) if by_line else split_values(text, self.bad)
        self._names: dict[str, None] = {}
        self._tabular = tabular

    @property
    def columns(self) -> list[str]:
        """Every key seen so far, in the order they came, up to the first ``MAX_COLUMNS``."""
        return list(self._names)

    def records(self) -> Iterator[Mapping[str, Any]]:
        """Each good row, decoded: numbers are int or Decimal."""
        return (row for _, row in self._rows())

    def documents(self) -> Iterator[bytes]:
        """Each good row, as it stands in the file."""
        return (text.encode() for text, _ in self._rows())

    def _rows(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        names = self._names
        for line, text in self._texts:
            try:
                row = decode_object(text, self.encoding)
                if not names.keys() >= row.keys():
                    self._see(row)
            except RowRefused as error:
                self.bad.add(line, error)
                continue
            yield text, row

    def _see(self, row: Mapping[str, Any]) -> None:
        new = [name for name in row if name not in self._names]
        if new and max(map(len, new)) > MAX_NAME_CHARS:
            if self._tabular:
                raise RowRefused(f"has a key longer than {MAX_NAME_CHARS} characters")
            new = [name for name in new if len(name) <= MAX_NAME_CHARS]
        room = MAX_COLUMNS - len(self._names)
        if self._tabular and len(new) > room:
            raise RowRefused(f"brings the table to more than {MAX_COLUMNS:,} columns")
        self._names.update(dict.fromkeys(new[:room]))

    def _lines(self, text: TextIO) -> Iterator[tuple[int, str]]:
        lines = Lines(text)
        while True:
            lines.begin()
            try:
                line = next(lines).strip()
            except StopIteration:
                return
            except RowRefused as error:
                self.bad.add(lines.first, error)
                continue
            if line:
                yield lines.first, line


def decode_object(text: str, encoding: str = "utf-8") -> dict[str, Any]:
    """The object in ``text``; :class:`RowRefused` says why there is none that can be stored."""
    if UNREADABLE in text:
        raise RowRefused(unreadable(encoding), malformed=True)
    try:
        value = _decode(text)
    except RecursionError:
        raise RowRefused(_TOO_DEEP) from None
    except UnicodeError:
        raise RowRefused("holds half of a surrogate pair, which is no character", malformed=True) from None
    except msgspec.ValidationError:
        raise RowRefused(_ENDLESS) from None
    except msgspec.DecodeError as error:
        raise RowRefused(_meaning(text, str(error)), malformed=True) from None
    if not isinstance(value, dict):
        raise RowRefused(f"is {_kind(value)}, not an object")
    _check(value, text)
    return value


def _check(row: dict[str, Any], text: str) -> None:
    """Level by level, so that no depth can exhaust the stack."""
    look_for_nul = "\\u0000" in text
    level: list[Any] = [row]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for container in level:
            values = container
            if container.__class__ is dict:
                values = container.values()
                if look_for_nul and any("\0" in key for key in container):
                    raise RowRefused("holds a NUL character (\\u0000), which PostgreSQL cannot store")
            for value in values:
                kind = value.__class__
                if kind is dict or kind is list:
                    below.append(value)
                elif kind is int:
                    if value.bit_length() > MAX_DIGITS * 3.33:
                        raise RowRefused(_ENDLESS)
                elif look_for_nul and kind is str and "\0" in value:
                    raise RowRefused("holds a NUL character (\\u0000), which PostgreSQL cannot store")
        if not below:
            return
        level = below
    raise RowRefused(_TOO_DEEP)


def _exact(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise RowRefused(_ENDLESS) from None
    if len(text) > MAX_DIGITS or not -MAX_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        raise RowRefused(_ENDLESS)
    return number


def _meaning(text: str, complaint: str) -> str:
    if not text:
        return "has no value where one is expected"
    if "truncated" in complaint:
        return "is cut off, or holds half of a surrogate pair" if "\\u" in text else "is cut off"
    return f"is not JSON: {complaint.removeprefix('JSON is malformed: ')}"


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "an array" if isinstance(value, list) else "a text" if isinstance(value, str) else "a number"


_decode = msgspec.json.Decoder(float_hook=_exact).decode
