"""What a subscriber asks for: which events of the live feed."""

from __future__ import annotations

from msgspec import Struct


class Filter(Struct, frozen=True, kw_only=True):
    """What is wanted; None is no narrowing. ``symbols`` are in upper case.

    Symbols are those of items: an event that has none is not wanted by who asks for symbols.
    """

    connectors: frozenset[str] | None = None
    symbols: frozenset[str] | None = None
    types: frozenset[str] | None = None

    @property
    def places(self) -> int:
        """How many places an index keeps it in."""
        parts = (self.connectors, self.symbols, self.types)
        many = 1
        for part in parts:
            many *= 1 if part is None else len(part)
        return many

    def passes(self, connector_id: str, kind: str) -> bool:
        """Whether events of this connector and type are wanted, as far as those two tell."""
        return (self.connectors is None or connector_id in self.connectors) and (
            self.types is None or kind in self.types
        )


EVERYTHING = Filter()
