"""What of a provider's answer cannot be kept, while the rest of it can."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from .errors import PayloadRefused


class Damage(Struct, frozen=True, kw_only=True):
    """The values of an otherwise sound answer that cannot be kept (a NUL, NaN, an endless number, nesting without end).

    In its document a text stands for each: ``mark`` and a number, by which ``values`` tells what the provider sent and
    ``reasons`` why it cannot be kept. ``body`` is the answer with ``null`` in their places.
    """

    body: bytes
    mark: bytes
    values: tuple[bytes, ...]
    reasons: tuple[str, ...]

    def found_in(self, encoded: bytes) -> list[int]:
        """The numbers of the values that a piece of the document, encoded, holds."""
        if self.mark not in encoded:
            return []
        return [int(found[1]) for found in re.finditer(re.escape(self.mark) + rb"([0-9]+);", encoded)]

    def refuse_outside(self, elements: Sequence[Any]) -> None:
        """PayloadRefused where a value is in none of the elements: it cannot be kept with one of them."""
        inside = {number for element in elements for number in self.found_in(msgspec.json.encode(element))}
        self.refuse_but(inside)

    def refuse_but(self, inside: Container[int]) -> None:
        """PayloadRefused where a value is none of these."""
        for number, reason in enumerate(self.reasons):
            if number not in inside:
                raise PayloadRefused(reason)

    def refuse_in(self, *texts: str | None) -> None:
        """PayloadRefused where one of these texts holds a value that cannot be kept."""
        for text in texts:
            if text is not None and (found := self.found_in(text.encode())):
                raise PayloadRefused(self.reasons[found[0]])

    def restored(self, encoded: bytes) -> bytes:
        """That piece as the provider sent it."""
        marked = b'"' + re.escape(self.mark) + rb'([0-9]+);"'
        return re.sub(marked, lambda found: self.values[int(found[1])], encoded)
