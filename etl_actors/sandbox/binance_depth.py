"""Binance's order book over REST: as many levels as are asked for and there are."""

from __future__ import annotations

from etl_actors.sandbox.binance_book import ASK, BID, Book
from etl_actors.sandbox.turns import Turns

LARGEST_LIMIT = 5_000


def depth_weight(limit: int) -> int:
    """What a question for so many levels weighs."""
    return 5 if limit <= 100 else 25 if limit <= 500 else 50 if limit <= 1000 else 250


async def depth_body(book: Book, limit: int) -> bytes:
    """The snapshot of a book."""
    bids, asks = await _side(book, BID, limit), await _side(book, ASK, limit)
    return f'{{"lastUpdateId":{book.update},"bids":[{bids}],"asks":[{asks}]}}'.encode()


async def _side(book: Book, side: int, limit: int) -> str:
    lines: list[str] = []
    turns = Turns()
    for level in book.levels(side):
        if level is not None:
            lines.append(level)
        if len(lines) == limit:
            break
        await turns.offer()
    return ",".join(lines)
