"""Keeps the order books of one connector: puts changes on them, and fetches a snapshot where one is missing.

How a reader of frames uses it, beside its ``SequenceCheck`` (which reports gaps whether or not there are books)::

    books = factory.order_books(connector, mapping, trusted=…)  # None without on_gap = "resync"
    nursery.start_soon(books.run)                               # beside the reading, for as long as the actor runs
    document = books.see_nowait(document)                       # for each frame, in their order, all sockets alike

What comes back is what the mapping of items gets: the frame with one more key, ``book``, which holds the best prices
and the first ``depth`` levels of each side as they are behind this frame, or null while the book waits for a snapshot::

    [connectors.items]
    each = "[@]"
    skip = "!book"
    coin_symbol = "base_asset(data.s)"
    quote_symbol = "quote_asset(data.s)"
    price = "mid(book.best_bid, book.best_ask)"
    [connectors.items.extra]
    best_bid = "book.best_bid"
    bids = "book.bids"

So a book has one item for each change, of what people want to see of it, in the words all mappings have. The frame
itself is stored as it came: ``Extracted.body`` stays the provider's. A frame that changes no book comes back as it is.
Books are in memory only: after a restart each begins with a snapshot.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, Protocol

import structlog
import trio
from msgspec import Struct

from ..errors import PayloadRefused, PollFailed
from .connector_needs import Backoff, Limit

log = structlog.get_logger("order_books")

# A snapshot that is not new enough, or that cannot be had, is not asked for again sooner.
SOONEST_RETRY_SECONDS = 1.0
# A book takes about half a megabyte for each thousand levels.
MAX_BOOKS = 200
# Reading this much, some thousand levels, takes a few milliseconds; more goes to a worker thread.
_LARGE_BYTES = 65_536


class Book(Protocol):
    """One order book; both say whether it is exact now."""

    def take(self, change: Any, /) -> bool: ...

    def restore(self, picture: Any, /) -> bool: ...


class BooksStatistics(Struct, frozen=True, kw_only=True):
    """How many books there are, how many of them are exact, how many snapshots were put in place, and what is wrong."""

    books: int
    exact: int
    snapshots: int
    trouble: str | None


class _Wanted(Struct):
    """A book that needs a snapshot, from ``due`` on, after so many ``failures`` in a row."""

    due: float
    failures: int = 0


class Market(Protocol):
    """What is known about the frames and the books of one connector; ``change`` and ``picture`` raise PayloadRefused.

    ``change`` is the key and the change of a frame, None when the frame changes no book; ``picture`` makes of the body
    of a snapshot what a book begins with, perhaps in a worker thread; ``view`` is what a mapping sees of a book.
    """

    def change(self, document: Any, /) -> tuple[str, Any] | None: ...

    def picture(self, body: bytes, /) -> Any: ...

    def new_book(self) -> Book: ...

    def view(self, book: Any, /) -> dict[str, Any] | None: ...


class OrderBooks:
    """The books of one connector, by key; of more than ``max_books`` keys the others have none.

    ``fetch(key)`` gives the body of a snapshot or raises PollFailed; each counts ``cost`` against ``limit``.
    """

    def __init__(
        self,
        connector_id: str,
        market: Market,
        *,
        fetch: Callable[[str], Awaitable[bytes]],
        limit: Limit,
        cost: float,
        backoff: Backoff,
        max_books: int = MAX_BOOKS,
    ) -> None:
        self._connector_id = connector_id
        self._market = market
        self._fetch = fetch
        self._limit = limit
        self._cost = cost
        self._backoff = backoff
        self._max_books = max_books
        self._books: dict[str, Book] = {}
        self._wanted: dict[str, _Wanted] = {}
        self._nudge = trio.Event()
        self._snapshots = 0
        self._trouble: str | None = None

    def statistics(self) -> BooksStatistics:
        """A snapshot."""
        return BooksStatistics(
            books=len(self._books),
            exact=len(self._books) - len(self._wanted),
            snapshots=self._snapshots,
            trouble=self._trouble,
        )

    def see_nowait(self, document: Any) -> Any:
        """``document`` with the ``book`` that it changed, if it changed one."""
        try:
            found = self._market.change(document)
        except PayloadRefused as error:
            # The next change will find that one is missing.
            self._trouble = str(error)
            return document
        if found is None or document.__class__ is not dict:
            return document
        key, change = found
        book = self._book(key)
        if book is None:
            return document | {"book": None}
        if not book.take(change) and key not in self._wanted:
            self._wanted[key] = _Wanted(due=trio.current_time())
            self._nudge.set()
        return document | {"book": None if key in self._wanted else self._market.view(book)}

    async def run(self) -> None:
        """Until cancelled: gets the snapshots that are missing, one after the other."""
        while True:
            self._nudge = trio.Event()
            key, wanted = min(self._wanted.items(), key=lambda one: one[1].due, default=("", _Wanted(due=inf)))
            with trio.move_on_at(wanted.due):
                await self._nudge.wait()
                continue
            await self._begin(key, wanted)

    async def _begin(self, key: str, wanted: _Wanted) -> None:
        await self._limit.admit(self._cost)
        try:
            body = await self._fetch(key)
            picture = await self._picture(body)
            if not self._books[key].restore(picture):
                raise PollFailed("it is older than the changes that wait for it")
        except (PollFailed, PayloadRefused) as error:
            self._failed(key, wanted, error if isinstance(error, PollFailed) else PollFailed(str(error)))
            return
        del self._wanted[key]
        self._snapshots += 1
        if not self._wanted:
            self._trouble = None
        log.info("order_books.book_begun", connector_id=self._connector_id, key=key, failures=wanted.failures)

    async def _picture(self, body: bytes) -> Any:
        read = self._market.picture
        return read(body) if len(body) < _LARGE_BYTES else await trio.to_thread.run_sync(read, body)

    def _failed(self, key: str, wanted: _Wanted, failure: PollFailed) -> None:
        wanted.failures += 1
        hold = self._backoff.seconds(failure, wanted.failures, SOONEST_RETRY_SECONDS)
        wanted.due = trio.current_time() + hold
        if failure.banned:
            self._limit.ban(hold)
        self._trouble = f"snapshot of {key}: {failure}"
        tell = log.warning if wanted.failures == 1 else log.debug
        tell("order_books.snapshot_failed", connector_id=self._connector_id, key=key, reason=str(failure))

    def _book(self, key: str) -> Book | None:
        book = self._books.get(key)
        if book is None and len(self._books) < self._max_books:
            book = self._books[key] = self._market.new_book()
        if book is None:
            self._trouble = f"there are {self._max_books} order books; {key} has none"
        return book
