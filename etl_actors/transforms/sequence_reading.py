"""Reads out of frames and snapshots what a sequence is made of: key, numbers, levels. Pure.

Frames are read on the event loop and snapshots, which are large, in a worker thread; each has expressions of its own,
since functions of a mapping hold state.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec import Struct

from ..errors import PayloadRefused
from .expressions import EVALUATION_ERRORS, Expression
from .numbers import describe, exact_number, shortened
from .order_book import MAX_LEVELS, Change, Level, Picture

LONGEST_KEY = 256
# Providers count in 64 bits, some of them unsigned.
_LOWEST, _HIGHEST = -(2**63), 2**64 - 1


class Step(Struct, frozen=True):
    """The numbers ``first`` to ``last`` of ``key``, which one frame covers."""

    key: str
    first: int
    last: int


class SequenceReading:
    """The expressions of one connector's sequence, by their key paths in ``[connectors.sequence]``."""

    def __init__(self, expressions: dict[str, Expression | None]) -> None:
        self._read = {name: one.read for name, one in expressions.items() if one is not None}

    def step(self, document: Any) -> Step | None:
        """The numbers of a frame; None when it has none. PayloadRefused when they cannot be."""
        first = self._found("first", document)
        if first is None:
            return None
        key = ""
        if "key" in self._read:
            named = self._found("key", document)
            if named is None:
                return None
            key = _key(named)
        lowest = _number("first", first)
        highest = _number("last", self._found("last", document)) if "last" in self._read else lowest
        if highest < lowest:
            raise PayloadRefused(f"sequence: a frame of {key!r} covers {lowest} to {highest}, backwards")
        return Step(key, lowest, highest)

    def change(self, document: Any, step: Step) -> Change:
        """The levels of a frame whose numbers are ``step``; PayloadRefused when they are none."""
        bids, asks = (_levels(name, self._found(name, document)) for name in ("bids", "asks"))
        return Change(step.first, step.last, bids, asks)

    def picture(self, document: Any) -> Picture:
        """The book of a snapshot; PayloadRefused when it is none. May be asked in a worker thread."""
        last = _number("snapshot.last", self._found("snapshot.last", document))
        bids, asks = (_levels(name, self._found(name, document)) for name in ("snapshot.bids", "snapshot.asks"))
        return Picture(last, bids, asks)

    def _found(self, name: str, document: Any) -> Any:
        read: Callable[[Any], Any] = self._read[name]
        try:
            return read(document)
        except EVALUATION_ERRORS as error:
            reason = shortened(str(error), 300) or type(error).__name__
            raise PayloadRefused(f"sequence.{name}: it cannot be evaluated: {reason}") from error


def _key(found: Any) -> str:
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise PayloadRefused(f"sequence.key: expected a text, found {describe(found)}")
    text = str(found)
    if len(text) > LONGEST_KEY:
        raise PayloadRefused(f"sequence.key: a key of more than {LONGEST_KEY} characters")
    return text


def _number(name: str, found: Any) -> int:
    """A whole number of 64 bits, however it is written."""
    if found.__class__ is int:
        number = found
    else:
        try:
            text = exact_number(found)
        except ValueError as error:
            raise PayloadRefused(f"sequence.{name}: {error}") from None
        if text is None or "." in text:
            raise PayloadRefused(f"sequence.{name}: expected a whole number, found {describe(found)}")
        number = int(text)
    if not _LOWEST <= number <= _HIGHEST:
        raise PayloadRefused(f"sequence.{name}: a number beyond 64 bits")
    return int(number)


def _levels(name: str, found: Any) -> tuple[Level, ...]:
    if not isinstance(found, list):
        raise PayloadRefused(f"sequence.{name}: expected a list of [price, quantity], found {describe(found)}")
    if len(found) > MAX_LEVELS:
        raise PayloadRefused(f"sequence.{name}: more than {MAX_LEVELS:,} levels")
    return tuple(_level(name, one) for one in found)


def _level(name: str, found: Any) -> Level:
    # Old recordings have a third, empty element.
    if not isinstance(found, list) or len(found) < 2:
        raise PayloadRefused(f"sequence.{name}: expected [price, quantity], found {describe(found)}")
    try:
        price, quantity = exact_number(found[0]), exact_number(found[1])
    except ValueError as error:
        raise PayloadRefused(f"sequence.{name}: {error}") from None
    if price is None or quantity is None or quantity.startswith("-"):
        raise PayloadRefused(f"sequence.{name}: expected [price, quantity], found {shortened(str(found))}")
    return Level(Decimal(price), price, quantity, not quantity.strip("0."))
