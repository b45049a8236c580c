"""One order book, kept exact: changes, and the picture of the whole that they continue. Pure.

A book is *waiting* until it has a picture. Meanwhile changes are kept, and when the picture comes those it holds
already are dropped and the others are put on top of it. From then on every change must continue the one before; where
one is missing the book is worth nothing any more and waits for a new picture. The rule is the one Binance publishes:
drop what ends at or before the picture (``u <= lastUpdateId``); the first that is kept must begin at or before the next
number and end at or behind it (``U <= lastUpdateId + 1 <= u``); each further one begins right behind the one before. A
change that begins earlier than that, as the first one of a second connection may, repeats what is known and is put on
top all the same: quantities are whole and not differences, so the end of both is the same book.

Prices are compared as numbers (``0.10`` is ``0.1000``) and given out as they were last sent.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec import Struct

# Books of real markets have some thousand levels; one of more than this is not believed and begun anew.
MAX_LEVELS = 50_000
# Two minutes of changes every 100 ms: a picture takes seconds. When it takes longer the oldest go, and a picture that
# is older than what is left is asked for again.
MAX_WAITING = 1_200


class Level(NamedTuple):
    """How much there is at a price; nothing, when ``empty``. The texts are as they were sent."""

    price: Decimal
    price_text: str
    quantity_text: str
    empty: bool


class Change(Struct, frozen=True):
    """The levels that changed with the numbers ``first`` to ``last``; what is not named stayed as it was."""

    first: int
    last: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Picture(Struct, frozen=True):
    """The whole book as it was when ``last`` was counted."""

    last: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class _Side:
    """The levels of one side by price, and the prices in order."""

    def __init__(self, levels: Iterable[Level]) -> None:
        self._levels = {level.price: level for level in levels if not level.empty}
        self._prices = sorted(self._levels)

    def __len__(self) -> int:
        return len(self._prices)

    def put(self, levels: Iterable[Level]) -> None:
        for level in levels:
            known = level.price in self._levels
            if not level.empty:
                self._levels[level.price] = level
                if not known:
                    insort(self._prices, level.price)
            elif known:
                del self._levels[level.price]
                del self._prices[bisect_left(self._prices, level.price)]

    def lowest(self, many: int) -> list[Level]:
        return [self._levels[price] for price in self._prices[:many]]

    def highest(self, many: int) -> list[Level]:
        return [self._levels[price] for price in reversed(self._prices[-many:])]


class OrderBook:
    """``last`` is the number up to which the book is exact; None while it waits for a picture."""

    def __init__(self, *, max_waiting: int = MAX_WAITING, max_levels: int = MAX_LEVELS) -> None:
        self.last: int | None = None
        self._bids, self._asks = _Side(()), _Side(())
        self._waiting: deque[Change] = deque(maxlen=max_waiting)
        self._max_levels = max_levels

    def take(self, change: Change) -> bool:
        """Put ``change`` on top, or keep it until there is a picture; False when one is needed."""
        if self.last is None:
            self._waiting.append(change)
            return False
        if change.last <= self.last:
            return True
        if change.first > self.last + 1:
            self._lose()
            self._waiting.append(change)
            return False
        self._put(change)
        if max(len(self._bids), len(self._asks)) > self._max_levels:
            self._lose()
        return self.last is not None

    def restore(self, picture: Picture) -> bool:
        """Begin with ``picture``; False when a change between it and those that wait is missing, so that a newer one is
        needed.
        """
        self.last = picture.last
        self._bids, self._asks = _Side(picture.bids), _Side(picture.asks)
        while self._waiting:
            change = self._waiting[0]
            if change.first > self.last + 1:
                self._lose()
                return False
            self._waiting.popleft()
            if change.last > self.last:
                self._put(change)
        return True

    def best_bids(self, many: int) -> list[Level]:
        """The highest ``many``, best first; none while the book waits."""
        return self._bids.highest(many)

    def best_asks(self, many: int) -> list[Level]:
        """The lowest ``many``, best first; none while the book waits."""
        return self._asks.lowest(many)

    def _put(self, change: Change) -> None:
        self._bids.put(change.bids)
        self._asks.put(change.asks)
        self.last = change.last

    def _lose(self) -> None:
        self.last = None
        self._bids, self._asks = _Side(()), _Side(())


def book_view(book: OrderBook, depth: int) -> dict[str, Any] | None:
    """What a mapping of items gets to see of ``book``; None while it waits for a picture.

    ``{"last", "best_bid", "best_bid_quantity", "best_ask", "best_ask_quantity", "bids", "asks"}``: the lists hold
    ``depth`` levels as ``[price, quantity]``, best first; an empty side has nulls.
    """
    if book.last is None:
        return None
    view: dict[str, Any] = {"last": book.last}
    for name, levels in (("bid", book.best_bids(depth)), ("ask", book.best_asks(depth))):
        view[f"best_{name}"] = levels[0].price_text if levels else None
        view[f"best_{name}_quantity"] = levels[0].quantity_text if levels else None
        view[f"{name}s"] = [[level.price_text, level.quantity_text] for level in levels]
    return view
