"""Who wants an event: found by connector, type and symbol in an index, not by asking every subscriber. Pure.

Subscriptions with the same filter are one group, so what it costs to find them, and to trim an event for them, is paid
once however many they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Generic, TypeVar

from ..filtering import Filter
from ..messages import Event, Unstored
from .fan_out_parcel import Parcel, Parcels

M = TypeVar("M")
Corner = tuple[str | None, str | None]


class _Group(Generic[M]):
    """Everybody with one filter, in the order in which they came."""

    __slots__ = ("filter", "members")

    def __init__(self, wanted: Filter) -> None:
        self.filter = wanted
        self.members: dict[M, None] = {}


class _Shelf(Generic[M]):
    """The groups that agree in connector and type: those who want whole events, and those who want symbols."""

    __slots__ = ("by_symbol", "whole")

    def __init__(self) -> None:
        self.whole: dict[Filter, _Group[M]] = {}
        self.by_symbol: dict[str, dict[Filter, _Group[M]]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nobody is left."""
        return not self.whole and not self.by_symbol


class FanOut(Generic[M]):
    """The index. A member is whatever is handed in; it is handed out for every event that its filter wants."""

    def __init__(self) -> None:
        self._groups: dict[Filter, _Group[M]] = {}
        self._shelves: dict[Corner, _Shelf[M]] = {}

    def add(self, wanted: Filter, member: M) -> None:
        """From now on."""
        group = self._groups.get(wanted)
        if group is None:
            group = self._groups[wanted] = _Group(wanted)
            for corner in _corners(wanted):
                shelf = self._shelves.setdefault(corner, _Shelf())
                if wanted.symbols is None:
                    shelf.whole[wanted] = group
                else:
                    for symbol in wanted.symbols:
                        shelf.by_symbol.setdefault(symbol, {})[wanted] = group
        group.members[member] = None

    def remove(self, wanted: Filter, member: M) -> None:
        """From now on no more; nothing when it was not there."""
        group = self._groups.get(wanted)
        if group is None:
            return
        group.members.pop(member, None)
        if not group.members:
            del self._groups[wanted]
            for corner in _corners(wanted):
                self._clear(corner, wanted)

    def matches(self, event: Event | Unstored, parcels: Parcels) -> Iterator[tuple[Parcel, dict[M, None]]]:
        """Who wants ``event``, and what of it."""
        for corner in product((event.connector_id, None), (event.type, None)):
            shelf = self._shelves.get(corner)
            if shelf is None:
                continue
            for group in shelf.whole.values():
                yield parcels.trimmed_exactly_to(None), group.members
            if shelf.by_symbol and event.items:
                yield from self._by_symbol(shelf, parcels)

    def _by_symbol(self, shelf: _Shelf[M], parcels: Parcels) -> Iterator[tuple[Parcel, dict[M, None]]]:
        here, there = parcels.symbols, shelf.by_symbol
        common = [symbol for symbol in here if symbol in there] if len(here) < len(there) else [
            symbol for symbol in there if symbol in here
        ]  # fmt: skip
        found: dict[Filter, list[str]] = {}
        for symbol in common:
            for wanted in there[symbol]:
                found.setdefault(wanted, []).append(symbol)
        for wanted, symbols in found.items():
            some = frozenset(symbols) if len(symbols) < len(here) else None
            yield parcels.trimmed_exactly_to(some), self._groups[wanted].members

    def _clear(self, corner: Corner, wanted: Filter) -> None:
        shelf = self._shelves[corner]
        shelf.whole.pop(wanted, None)
        for symbol in wanted.symbols or ():
            there = shelf.by_symbol[symbol]
            del there[wanted]
            if not there:
                del shelf.by_symbol[symbol]
        if shelf.is_empty:
            del self._shelves[corner]


def _corners(wanted: Filter) -> Iterator[Corner]:
    return product(wanted.connectors or (None,), wanted.types or (None,))
