"""An event as it is handed to subscribers: whole, or trimmed to some symbols; made once for all who want the same.

What belongs to one subscriber alone, the names of its subscriptions, is a suffix that is joined to these bytes when
they leave.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from .. import wire
from ..messages import Event

# Types of which only the newest of a connector matters.
_STATES = frozenset({"data_update", "connector_status"})

Key = tuple[str, str, str]
"""What conflating keeps the newest of: connector, type, symbol."""


class Parcel:
    """The bytes of an event, or of something that is no event of the log and has no ``offset``.

    ``weights`` tells how many bytes each symbol's items take; empty for what has no items.
    """

    __slots__ = ("_by_symbol", "_edges", "body", "keys", "offset", "size", "weights")

    def __init__(self, body: bytes, *, offset: int | None = None, keys: tuple[Key, ...] = ()) -> None:
        self.body = body
        self.size = len(body)
        self.offset = offset
        self.keys = keys
        self.weights: dict[str, int] = {}
        self._by_symbol: dict[str, list[tuple[int, bytes]]] = {}
        self._edges = (b"", b"")

    @classmethod
    def of_items(
        cls, event: Event, by_symbol: dict[str, list[tuple[int, bytes]]], edges: tuple[bytes, bytes]
    ) -> Parcel:
        """Of the ``edges`` of a ``price_update`` and some of its items, each with its place among them."""
        parcel = cls(_joined(edges, by_symbol.values()), offset=event.offset)
        parcel._carry(event, by_symbol, edges)
        return parcel

    @classmethod
    def whole(cls, event: Event, by_symbol: dict[str, list[tuple[int, bytes]]], edges: tuple[bytes, bytes]) -> Parcel:
        """All of an event."""
        parcel = cls(event.encoded, offset=event.offset)
        if by_symbol:
            parcel._carry(event, by_symbol, edges)
        elif event.type in _STATES:
            parcel.keys = ((event.connector_id, event.type, ""),)
        return parcel

    def trimmed(self, symbols: Iterable[str]) -> bytes:
        """The event with the items of these symbols only."""
        return _joined(self._edges, (self._by_symbol[symbol] for symbol in symbols))

    def _carry(self, event: Event, by_symbol: dict[str, list[tuple[int, bytes]]], edges: tuple[bytes, bytes]) -> None:
        self._by_symbol, self._edges = by_symbol, edges
        self.weights = {symbol: sum(len(piece) + 1 for _, piece in pieces) for symbol, pieces in by_symbol.items()}
        self.keys = tuple((event.connector_id, event.type, symbol) for symbol in by_symbol)


class Parcels:
    """The parcels of one event."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._made: dict[frozenset[str] | None, Parcel] = {}

    @cached_property
    def symbols(self) -> dict[str, list[tuple[int, bytes]]]:
        """The items of each symbol, in upper case, with their places among all."""
        symbols: dict[str, list[tuple[int, bytes]]] = {}
        for place, (symbol, piece) in enumerate(self._event.items):
            symbols.setdefault(symbol, []).append((place, piece))
        return symbols

    @cached_property
    def _edges(self) -> tuple[bytes, bytes]:
        event = self._event
        return wire.around_items(event.encoded, [piece for _, piece in event.items]) if event.items else (b"", b"")

    def trimmed_to(self, symbols: frozenset[str] | None) -> Parcel | None:
        """The event for who wants these symbols (None: all of it); None when it has none of them."""
        if symbols is not None:
            symbols = frozenset(symbol for symbol in symbols if symbol in self.symbols)
            if not symbols:
                return None
            if len(symbols) == len(self.symbols):
                symbols = None
        return self.trimmed_exactly_to(symbols)

    def trimmed_exactly_to(self, symbols: frozenset[str] | None) -> Parcel:
        """The event with these of its symbols, of which it has more (None: all of it)."""
        parcel = self._made.get(symbols)
        if parcel is None:
            parcel = self._made[symbols] = self._make(symbols)
        return parcel

    def _make(self, symbols: frozenset[str] | None) -> Parcel:
        if symbols is None:
            return Parcel.whole(self._event, self.symbols, self._edges)
        kept = {symbol: pieces for symbol, pieces in self.symbols.items() if symbol in symbols}
        return Parcel.of_items(self._event, kept, self._edges)


def _joined(edges: tuple[bytes, bytes], groups: Iterable[list[tuple[int, bytes]]]) -> bytes:
    head, tail = edges
    pieces = sorted(place_and_piece for group in groups for place_and_piece in group)
    return head + b",".join(piece for _, piece in pieces) + tail
