"""What is known about the frames, the snapshots and the books of one connector, in one object. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..settings import Sequence
from .order_book import MAX_WAITING, Change, OrderBook, Picture, book_view
from .sequence_reading import SequenceReading

# All books that wait may keep so many changes together; see MAX_WAITING.
_WAITING_TOGETHER = 60_000
_FEWEST_WAITING = 100


class Market:
    """``decode`` makes a document of a body."""

    def __init__(self, sequence: Sequence, reading: SequenceReading, decode: Callable[[bytes], Any]) -> None:
        self._depth = sequence.depth
        self._max_waiting = max(_FEWEST_WAITING, min(MAX_WAITING, _WAITING_TOGETHER // sequence.max_keys))
        self._reading = reading
        self._decode = decode

    def change(self, document: Any) -> tuple[str, Change] | None:
        """The key of the book that a frame changes, and how; None when it changes none. PayloadRefused."""
        step = self._reading.step(document)
        return None if step is None else (step.key, self._reading.change(document, step))

    def picture(self, body: bytes) -> Picture:
        """The book in a snapshot; PayloadRefused. May be asked in a worker thread."""
        return self._reading.picture(self._decode(body))

    def new_book(self) -> OrderBook:
        """A book that waits for its picture."""
        return OrderBook(max_waiting=self._max_waiting)

    def view(self, book: OrderBook) -> dict[str, Any] | None:
        """What a mapping sees of ``book``."""
        return book_view(book, self._depth)
