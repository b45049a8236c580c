"""An event as it is handed to subscribers: whole, or trimmed to some symbols; made once for all who want the same.

What belongs to one subscriber alone, the names of its subscriptions, is a suffix that is joined to these bytes when
they leave.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from .. import wire
from ..messages import Event

# Types of which only the newest of a connector matters.
_STATES = frozenset({"data_update", "connector_status"})

Key = tuple[str, str, str]
"""What conflating keeps the newest of: connector, type, symbol."""


Pieces = list[tuple[int, bytes]]
"""Items of one symbol, each with its place among all."""


class Contents:
    """What conflating needs to know of an event of several symbols, or of some of them. It holds no more than those:
    a small part that waits for long must not keep a large event alive."""

    __slots__ = ("edges", "symbols")

    def __init__(self, symbols: dict[str, Pieces], edges: tuple[bytes, bytes]) -> None:
        self.symbols = symbols
        self.edges = edges

    def weights(self) -> dict[str, int]:
        """How many bytes the items of each symbol take, with a comma each."""
        return {symbol: sum(len(piece) + 1 for _, piece in pieces) for symbol, pieces in self.symbols.items()}

    def joined(self, symbols: Iterable[str]) -> bytes:
        """The event with the items of these symbols only, in their order."""
        head, tail = self.edges
        pieces = sorted(piece for symbol in symbols for piece in self.symbols[symbol])
        return head + b",".join(piece for _, piece in pieces) + tail


class Parcel:
    """The bytes of an event, or of something that is no event of the log and has no ``offset``.

    ``keys`` are what it says something new about; none where one does not replace another.
    """

    __slots__ = ("_contents", "body", "keys", "offset", "size")

    def __init__(
        self, body: bytes, *, offset: int | None = None, keys: Sequence[Key] = (), contents: Contents | None = None
    ) -> None:
        self.body = body
        self.size = len(body)
        self.offset = offset
        self.keys = keys
        self._contents = contents

    @property
    def weights(self) -> dict[str, int]:
        """How many bytes each symbol's items take; empty for what goes as a whole or not at all."""
        return {} if self._contents is None else self._contents.weights()

    def trimmed(self, symbols: Iterable[str]) -> bytes:
        """The event with the items of these symbols only."""
        assert self._contents is not None  # else it has at most one symbol
        return self._contents.joined(symbols)


class Parcels:
    """The parcels of one event."""

    def __init__(self, event: Event) -> None:
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
        event = self._event
        if not event.items:
            keys = [(event.connector_id, event.type, "")] if event.type in _STATES else ()
            return Parcel(event.encoded, offset=event.offset, keys=keys)
        kept = self.symbols if symbols is None else {symbol: self.symbols[symbol] for symbol in symbols}
        contents = Contents(kept, self._edges)
        return Parcel(
            event.encoded if symbols is None else contents.joined(kept),
            offset=event.offset,
            keys=[(event.connector_id, event.type, symbol) for symbol in kept],
            contents=contents if len(kept) > 1 else None,
        )

    @cached_property
    def _edges(self) -> tuple[bytes, bytes]:
        return wire.around_items(self._event.encoded, [piece for _, piece in self._event.items])
