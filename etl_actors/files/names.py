"""Names of columns: never empty, never twice; and cleaned ones, as a table or a program would call them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_CLEAN_CHARS = 63  # what PostgreSQL lets a column be called, in ASCII

_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_WORD = re.compile(r"[\W_]+")


class Names:
    """Hands out each name once: the second ``price`` is ``price_2``."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def take(self, wanted: str) -> str:
        """``wanted``, or with the first number behind it that makes it new."""
        name, number = wanted, self._next.get(wanted, 2)
        while name in self._taken:
            name = f"{wanted}_{number}"
            number += 1
        self._next[wanted] = number
        self._taken.add(name)
        return name


def unique_names(header: Iterable[str]) -> list[str]:
    """The cells of a header as keys: as they stand, where they are not empty and not there already."""
    names = Names()
    return [names.take(cell if cell.strip() else f"column_{place}") for place, cell in enumerate(header, 1)]


def clean_name(name: str, place: int) -> str:
    """``name`` in snake_case: ``Price (USD)`` is ``price_usd``, ``Größe`` is ``grosse``, ``24h`` is ``column_24h``.

    Letters that are no form of a Latin one stay; where nothing stays it is the ``place`` (from 1): ``column_3``.
    """
    apart = _WORD_ENDS.sub("_", name)
    plain = "".join(one for one in unicodedata.normalize("NFKD", apart) if not unicodedata.combining(one))
    cleaned = _NOT_WORD.sub("_", plain.casefold()).strip("_")
    if not cleaned:
        return f"column_{place}"
    if not cleaned[0].isalpha():
        cleaned = f"column_{cleaned}"
    return cleaned[:MAX_CLEAN_CHARS].rstrip("_")
