"""Order books in virtual time: when snapshots are asked for, and what the mapping sees meanwhile."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import MockClock

from etl_actors.actors.connector_needs import Unlimited
from etl_actors.actors.order_books import OrderBooks
from etl_actors.errors import PollFailed
from etl_actors.messages import Item
from etl_actors.settings import ConnectorSettings, ItemMapping, LimitSettings
from etl_actors.sources.backoff import Backoff
from etl_actors.sources.pacing import Limit
from etl_actors.transforms.documents import decode_document
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.market import Market
from etl_actors.transforms.symbols import SymbolTable

from ..transforms.test_order_book import BOOKS, READING, snapshot


def change(first: int, last: int, bid: str = "9", key: str = "X") -> Any:
    """A frame that puts one bid on a book."""
    return {"stream": "x", "data": {"s": key, "U": first, "u": last, "b": [[bid, "1"]], "a": []}}


def decode(body: bytes) -> Any:
    return decode_document(body, max_depth=50)


class Snapshots:
    """Plays answers by key: the last number of a snapshot, or a failure; the last one for ever."""

    def __init__(self, **answers: list[int | bytes | PollFailed]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, float]] = []
        self._began = trio.current_time()

    async def fetch(self, key: str) -> bytes:
        self.asked.append((key, round(trio.current_time() - self._began, 3)))
        await trio.lowlevel.checkpoint()
        turns = self.answers[key]
        turn = turns.pop(0) if len(turns) > 1 else turns[0]
        if isinstance(turn, PollFailed):
            raise turn
        return turn if isinstance(turn, bytes) else json.dumps(snapshot(turn, [("5", "5")], [("10", "1")])).encode()


def books_of(snapshots: Snapshots, **options: Any) -> OrderBooks:
    """Books with the longest backoff there is."""
    defaults = {"limit": Unlimited(), "cost": 1, "backoff": Backoff(lambda low, high: high)}
    return OrderBooks("one", Market(BOOKS, READING, decode), fetch=snapshots.fetch, **(defaults | options))


@asynccontextmanager
async def running(books: OrderBooks) -> AsyncIterator[None]:
    """While the block runs, snapshots are fetched."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(books.run)
        yield
        nursery.cancel_scope.cancel()


async def test_a_book_begins_with_a_snapshot_and_then_shows_itself(autojump_clock: MockClock) -> None:
    """The first change asks for one; the next is shown on top of it, as the mapping reads it."""
    snapshots = Snapshots(X=[2])
    books = books_of(snapshots)
    async with running(books):
        first = books.see_nowait(change(1, 3, "6"))
        assert first == change(1, 3, "6") | {"book": None}
        await trio.sleep(1)
        seen = books.see_nowait(change(4, 4, "7"))
    assert seen["book"] == {
        "last": 4,
        "best_bid": "7",
        "best_bid_quantity": "1",
        "best_ask": "10",
        "best_ask_quantity": "1",
        "bids": [["7", "1"], ["6", "1"], ["5", "5"]],
        "asks": [["10", "1"]],
    }
    assert seen["data"] == change(4, 4, "7")["data"]
    assert snapshots.asked == [("X", 0)]
    statistics = books.statistics()
    assert (statistics.books, statistics.exact, statistics.snapshots, statistics.trouble) == (1, 1, 1, None)


async def test_a_gap_fetches_one_snapshot_and_goes_on(autojump_clock: MockClock) -> None:
    """Once, however many changes come meanwhile; nothing is shown until the book is exact again."""
    snapshots = Snapshots(X=[1, 6])
    books = books_of(snapshots)
    async with running(books):
        books.see_nowait(change(2, 2))
        await trio.sleep(1)
        assert books.see_nowait(change(3, 3))["book"] is not None
        for number in (6, 7, 8):
            assert books.see_nowait(change(number, number, str(number)))["book"] is None
        await trio.sleep(1)
        seen = books.see_nowait(change(9, 9, "1"))["book"]
    assert snapshots.asked == [("X", 0), ("X", 1)]
    assert (seen["last"], [price for price, _ in seen["bids"]]) == (9, ["8", "7", "5", "1"])


async def test_what_brings_no_snapshot_is_waited_out_and_holds_up_no_other_book(autojump_clock: MockClock) -> None:
    """Too old, no answer, no book in it: each is told, and asked again with a growing pause."""
    snapshots = Snapshots(X=[0, PollFailed("HTTP 500", status=500), b'{"code": -1121}', b"<html>", 9], Y=[4])
    books = books_of(snapshots)
    told = []
    async with running(books):
        books.see_nowait(change(9, 9))
        books.see_nowait(change(5, 5, key="Y"))
        for _ in range(4):
            await trio.sleep(0.5)
            told.append(str(books.statistics().trouble).partition(": ")[2][:24])
            await trio.sleep(snapshots_pause(len(told)) - 0.5)
        await trio.sleep(1)
        assert books.see_nowait(change(10, 10))["book"]["last"] == 10
        assert books.statistics().trouble is None
    assert [at for key, at in snapshots.asked if key == "Y"] == [0]
    assert [at for key, at in snapshots.asked if key == "X"] == [0, 1, 3, 7, 15]
    assert (
        told == ["it is older than the chan", "HTTP 500", "sequence.snapshot.last: ", "this is not JSON: it loo"]
        or told
    )


def snapshots_pause(failures: int) -> float:
    """1, 2, 4, 8 seconds."""
    return 2.0 ** (failures - 1)


async def test_snapshots_are_asked_for_within_the_limit(autojump_clock: MockClock) -> None:
    """Each counts its cost: two of 50 fit into 100 a minute, the third waits."""
    snapshots = Snapshots(A=[1], B=[1], C=[1])
    books = books_of(snapshots, limit=Limit(LimitSettings(weight_per_minute=100)), cost=50)
    async with running(books):
        for key in "ABC":
            books.see_nowait(change(2, 2, key=key))
        await trio.sleep(120)
    assert [key for key, _ in snapshots.asked] == ["A", "B", "C"]
    assert snapshots.asked[2][1] >= 30


async def test_other_frames_and_broken_changes_cost_no_book(autojump_clock: MockClock) -> None:
    """They come back as they are; that a change is missing then, the next one tells."""
    snapshots = Snapshots(X=[1, 3])
    books = books_of(snapshots)
    others: list[Any] = [{"result": None, "id": 1}, [1, 2], "pong", {"data": {"s": "X", "p": "1"}}]
    broken = change(3, 3)
    broken["data"]["b"] = [["9"]]
    async with running(books):
        for other in others:
            assert books.see_nowait(other) is other
        books.see_nowait(change(2, 2))
        await trio.sleep(1)
        assert books.see_nowait(broken) is broken
        assert "expected [price, quantity]" in str(books.statistics().trouble)
        assert books.see_nowait(change(4, 4))["book"] is None
        await trio.sleep(1)
        assert books.see_nowait(change(5, 5))["book"]["last"] == 5


async def test_books_are_bounded(autojump_clock: MockClock) -> None:
    """A key too many has none, and that is told."""
    books = books_of(Snapshots(X=[1], Y=[1]), max_books=1)
    async with running(books):
        books.see_nowait(change(2, 2))
        assert books.see_nowait(change(2, 2, key="Y"))["book"] is None
        assert books.statistics().trouble == "there are 1 order books; Y has none"


async def test_a_mapping_makes_one_item_of_each_change_and_none_of_other_frames(autojump_clock: MockClock) -> None:
    """As the documentation shows it: the middle of the best prices, exactly, with levels beside it."""
    connector = ConnectorSettings(
        connector_id="one",
        kind="websocket",
        url="wss://x",
        sequence=BOOKS,
        items=ItemMapping(
            each="[@]",
            skip="!book",
            coin_symbol="data.s",
            price="mid(book.best_bid, book.best_ask)",
            extra={"bids": "book.bids", "last_update_id": "book.last"},
        ),
    )
    mapping = Mapping(connector, SymbolTable())
    books = books_of(Snapshots(X=[2]))

    def items_of(document: Any) -> list[Item]:
        elements = mapping.elements(books.see_nowait(document))
        return [item for element in elements if (item := mapping.map_element(element, 1, {})) is not None]

    async with running(books):
        assert items_of(change(1, 3, "6")) == []
        await trio.sleep(1)
        (item,) = items_of(change(4, 4, "7.50"))
        assert items_of({"stream": "x@trade", "data": {"s": "X", "p": "1"}}) == []
        assert items_of([1, 2]) == []
    assert (item.coin_symbol, item.price) == ("X", "8.75")
    assert json.loads(item.extra or "") == {"bids": [["7.50", "1"], ["6", "1"], ["5", "5"]], "last_update_id": 4}
