"""An event as it is handed to subscribers: whole, or trimmed to some symbols; made once for all who want the same.

What belongs to one subscriber alone, the names of its subscriptions, is a suffix that is joined to these bytes when
they leave.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from .. import wire
from ..messages import Event, Unstored

# Types of which only the newest of a connector matters.
_STATES = frozenset({"data_update", "connector_status"})

Topic = tuple[str, str]
"""A connector and a type of event: within it, conflating keeps the newest of each symbol."""

Pieces = list[tuple[int, bytes]]
"""Items of one symbol, each with its place among all."""


class Contents:
    """What conflating needs to know of an event of several symbols, or of some of them. It holds no more than those:
    a small part that waits for long must not keep a large event alive."""

    __slots__ = ("_weights", "edges", "symbols")

    def __init__(self, symbols: dict[str, Pieces], edges: tuple[bytes, bytes]) -> None:
        self.symbols = symbols
        self.edges = edges
        self._weights: dict[str, int] | None = None

    def weights(self) -> dict[str, int]:
        """How many bytes the items of each symbol take, with a comma each; made once, for whoever conflates first."""
        if self._weights is None:
            self._weights = {
                symbol: len(pieces) + sum(len(piece) for _, piece in pieces) for symbol, pieces in self.symbols.items()
            }
        return self._weights

    def joined(self, symbols: Iterable[str]) -> bytes:
        """The event with the items of these symbols only, in their order."""
        head, tail = self.edges
        pieces = [piece for symbol in symbols for piece in self.symbols[symbol]]
        pieces.sort()
        return head + b",".join([piece for _, piece in pieces]) + tail


class Parcel:
    """The bytes of an event, or of something that is no event of the log and has no ``offset``.

    ``topic`` is what it says something new about, under the one ``symbol`` or those of its ``contents``; None where one
    does not replace another.
    """

    __slots__ = ("_contents", "_symbol", "body", "offset", "size", "topic")

    def __init__(
        self,
        body: bytes,
        *,
        offset: int | None = None,
        topic: Topic | None = None,
        symbol: str = "",
        contents: Contents | None = None,
    ) -> None:
        self.body = body
        self.size = len(body)
        self.offset = offset
        self.topic = topic
        self._symbol = symbol
        self._contents = contents

    @property
    def weights(self) -> Mapping[str, int]:
        """How many bytes each symbol's items take; nothing where all of it goes with the one symbol."""
        return {self._symbol: 0} if self._contents is None else self._contents.weights()

    def trimmed(self, symbols: Iterable[str]) -> bytes:
        """The event with the items of these symbols only."""
        assert self._contents is not None  # else it has at most one symbol
        return self._contents.joined(symbols)


class Parcels:
    """The parcels of one event."""

    def __init__(self, event: Event | Unstored) -> None:
        self._event = event
        self._made: dict[frozenset[str] | None, Parcel] = {}

    @cached_property
    def symbols(self) -> dict[str, Pieces]:
        """The items of each symbol, in upper case."""
        symbols: dict[str, Pieces] = {}
        for place, (symbol, piece) in enumerate(self._event.items):
            symbols.setdefault(symbol, []).append((place, piece))
        return symbols

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
        event, topic = self._event, (self._event.connector_id, self._event.type)
        if not event.items:
            return Parcel(event.encoded, offset=event.offset, topic=topic if event.type in _STATES else None)
        kept = self.symbols if symbols is None else {symbol: self.symbols[symbol] for symbol in symbols}
        contents = Contents(kept, self._edges)
        body = event.encoded if symbols is None else contents.joined(kept)
        if len(kept) == 1:
            return Parcel(body, offset=event.offset, topic=topic, symbol=next(iter(kept)))
        return Parcel(body, offset=event.offset, topic=topic, contents=contents)

    @cached_property
    def _edges(self) -> tuple[bytes, bytes]:
        return wire.around_items(self._event.encoded, [piece for _, piece in self._event.items])
