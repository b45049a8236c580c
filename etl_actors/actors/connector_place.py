"""Where a connector is in a provider's list: what it asked to begin after, and how far it has read since. Pure.

This is what :attr:`Checkpoint.cursor` holds, committed with the data of each page, so that the next incarnation
continues exactly there. Between lists it is the cursor alone, a text; within one that comes in pages an object says
where in it.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct, ValidationError, convert, to_builtins

_NUMBER = re.compile(r"-?[0-9]{1,1000}(?:\.[0-9]{1,1000})?")


class Place(Struct, frozen=True, kw_only=True):
    """``cursor``: what every page of this list is asked with. ``seen``: the farthest that its pages named so far.
    ``page``: the next one (its number, offset, token or link), None at the beginning; ``number``: how many come before.
    """

    cursor: str | None = None
    seen: str | None = None
    page: int | str | None = None
    number: int = 0


def read_place(stored: Any) -> Place:
    """The place that ``stored`` is, as JSON; what nobody of us wrote is the beginning."""
    if isinstance(stored, str):
        return Place(cursor=stored)
    try:
        return convert(stored, Place) if isinstance(stored, dict) else Place()
    except ValidationError:
        return Place()


def stored_place(place: Place) -> Any:
    """``place`` as JSON."""
    return place.cursor if place.page is None else to_builtins(place)


def without_page(stored: Any) -> Any:
    """``stored`` with the cursor alone: its list is begun anew."""
    return read_place(stored).cursor if isinstance(stored, dict) and "page" in stored else stored


def farther(one: str | None, other: str | None) -> str | None:
    """The one of two cursors, named in this order within one list, that lies farther on.

    Numbers and times are compared, since a list may run either way; of others the later named counts.
    """
    if one is None or other is None:
        return other if one is None else one
    if _NUMBER.fullmatch(one) and _NUMBER.fullmatch(other):
        return other if Decimal(other) >= Decimal(one) else one
    try:
        return other if datetime.fromisoformat(other) >= datetime.fromisoformat(one) else one
    except (ValueError, TypeError):  # no times, or one of them without its zone
        return other
