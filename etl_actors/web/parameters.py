"""Query parameters: how each is read from a request, and how it is described, in one declaration.

A parameter reads its own text and refuses it with its own name, and gives the JSON Schema of what it takes, so that
the OpenAPI document cannot promise what the service does not do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from werkzeug.datastructures import MultiDict

from .problems import Problem, invalid

# A "+" in a query string arrives as a space: "2025-12-08T16:00:00+01:00" is what was meant.
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)$")

# What a stored text cannot hold.
STORABLE = r"^[^\u0000]*$"

Arguments = Mapping[str, str]


def single_values(arguments: MultiDict[str, str]) -> dict[str, str]:
    """The query string as a mapping; 422 for a name that is given more than once, since only one could count."""
    for name, values in arguments.lists():
        if len(values) > 1:
            raise invalid(f"query.{name}", "is given more than once")
    return {name: checked_text(name, value) for name, value in arguments.items()}


def checked_text(name: str, value: str) -> str:
    """``value``; 422 when it holds a character that no stored text has."""
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise invalid(f"query.{name}", "holds a character that no stored text has")
    return value


class Parameter(Struct, frozen=True, kw_only=True):
    """One query parameter.

    An example is part of the words: a page to try things out would send one of its own field by itself.
    """

    name: str
    description: str

    def schema(self) -> dict[str, Any]:
        """What it takes, as JSON Schema."""
        raise NotImplementedError

    def refused(self, message: str) -> Problem:
        """422 that names this parameter."""
        return invalid(f"query.{self.name}", message)


class Text(Parameter, frozen=True, kw_only=True):
    """Any text. An empty one is the same as none."""

    def schema(self) -> dict[str, Any]:
        """A string."""
        return {"type": "string", "pattern": STORABLE}

    def read(self, arguments: Arguments) -> str | None:
        """The text, or None."""
        return arguments.get(self.name) or None


class Whole(Parameter, frozen=True, kw_only=True):
    """A whole number from ``low`` to ``high``."""

    low: int
    high: int
    default: int

    def schema(self) -> dict[str, Any]:
        """An integer with its bounds."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high, "default": self.default}

    def read(self, arguments: Arguments) -> int:
        """The number, or the default."""
        text = arguments.get(self.name)
        if text is None:
            return self.default
        if not re.fullmatch(r"-?[0-9]{1,18}", text) or not self.low <= int(text) <= self.high:
            raise self.refused(f"must be a whole number from {self.low} to {self.high}")
        return int(text)


class Moment(Parameter, frozen=True, kw_only=True):
    """A time with its zone."""

    def schema(self) -> dict[str, Any]:
        """A date-time of RFC 3339."""
        return {"type": "string", "format": "date-time"}

    def read(self, arguments: Arguments) -> datetime | None:
        """The time in UTC, or None."""
        text = arguments.get(self.name)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(_LOST_PLUS.sub(r"+\1", text))
        except ValueError:
            raise self.refused("must be a time such as 2025-12-08T16:00:00Z (RFC 3339)") from None
        if moment.tzinfo is None:
            raise self.refused("needs a time zone, as in 2025-12-08T16:00:00Z")
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            # Within a day of either end of the calendar: before, or after, everything that can be stored.
            return moment.replace(tzinfo=UTC)


class Choice(Parameter, frozen=True, kw_only=True):
    """One of a few words, whatever their case and the spaces between them."""

    choices: tuple[str, ...]
    default: str | None = None
    refusal: str

    def schema(self) -> dict[str, Any]:
        """The words."""
        described: dict[str, Any] = {"type": "string", "enum": list(self.choices)}
        return described if self.default is None else described | {"default": self.default}

    def read(self, arguments: Arguments) -> str | None:
        """The word as it is listed, or the default."""
        if self.name not in arguments:
            return self.default
        text = " ".join(arguments[self.name].lower().split())
        for choice in self.choices:
            if choice.lower() == text:
                return choice
        raise self.refused(self.refusal)
