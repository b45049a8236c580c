"""Order books stay exact: by the published rule, against an oracle that knows the whole history."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.errors import PayloadRefused
from etl_actors.settings import ConnectorSettings, Sequence, Snapshot
from etl_actors.transforms.mapping import Mapping as ItemMapping
from etl_actors.transforms.order_book import OrderBook, book_view
from etl_actors.transforms.sequence_reading import SequenceReading
from etl_actors.transforms.symbols import SymbolTable

Sides = dict[str, dict[Decimal, Decimal]]
BOOKS = Sequence(
    key="data.s",
    first="data.U",
    last="data.u",
    on_gap="resync",
    bids="data.b",
    asks="data.a",
    snapshot=Snapshot(url="https://x/depth?symbol={key}"),
)


def reading_of(sequence: Sequence = BOOKS) -> SequenceReading:
    """What reads the frames and snapshots of a connector with this sequence."""
    connector = ConnectorSettings(connector_id="one", url="wss://x", kind="websocket", sequence=sequence)
    reading = ItemMapping(connector, SymbolTable()).sequence
    assert reading is not None
    return reading


READING = reading_of()


def frame(first: int, last: int, bids: Any = (), asks: Any = ()) -> Any:
    """A change as Binance sends it."""
    data = {
        "e": "depthUpdate",
        "s": "X",
        "U": first,
        "u": last,
        "b": [list(b) for b in bids],
        "a": [list(a) for a in asks],
    }
    return {"stream": "x@depth", "data": data}


def take(book: OrderBook, document: Any) -> bool:
    """Read a frame and put it on the book."""
    step = READING.step(document)
    assert step is not None
    return book.take(READING.change(document, step))


def snapshot(last: int, bids: Any = (), asks: Any = ()) -> Any:
    """A snapshot as Binance sends it."""
    return {"lastUpdateId": last, "bids": [list(b) for b in bids], "asks": [list(a) for a in asks]}


def restore(book: OrderBook, document: Any) -> bool:
    """Read a snapshot and begin with it."""
    return book.restore(READING.picture(document))


def sides(book: OrderBook) -> Sides:
    """The whole book as plain numbers."""
    everything = 10**6
    return {
        name: {level.price: Decimal(level.quantity_text) for level in levels}
        for name, levels in (("bids", book.best_bids(everything)), ("asks", book.best_asks(everything)))
    }


def test_changes_that_the_snapshot_holds_are_dropped_and_the_others_put_on_top() -> None:
    """The published rule: u <= lastUpdateId goes, then U <= lastUpdateId + 1 <= u."""
    book = OrderBook()
    assert not take(book, frame(1, 4, [("9", "1")]))
    assert not take(book, frame(5, 8, [("9", "2")]))
    assert not take(book, frame(9, 9, [("8", "3")]))
    assert book_view(book, 5) is None
    assert restore(book, snapshot(6, [("9", "7"), ("7", "1")], [("10", "1")]))
    assert sides(book) == {"bids": {9: 2, 8: 3, 7: 1}, "asks": {10: 1}}
    assert take(book, frame(10, 12, [("9", "0.00000000")], [["10", "0"], ["11", "4"]]))
    assert sides(book) == {"bids": {8: 3, 7: 1}, "asks": {11: 4}}
    assert book.last == 12


def test_a_snapshot_that_is_older_than_the_first_change_is_not_enough() -> None:
    """A newer one is; the changes that wait are kept until then."""
    book = OrderBook()
    take(book, frame(10, 12, [("9", "1")]))
    assert not restore(book, snapshot(8, [("5", "5")]))
    assert (book.last, sides(book)) == (None, {"bids": {}, "asks": {}})
    assert restore(book, snapshot(9, [("5", "5")]))
    assert (book.last, sides(book)["bids"]) == (12, {9: 1, 5: 5})


def test_a_missing_change_costs_the_book_until_a_newer_snapshot() -> None:
    """What came behind the gap waits, and is on top when the snapshot holds what was missed."""
    book = OrderBook()
    restore(book, snapshot(1, [("5", "5")]))
    assert not take(book, frame(3, 4, [("6", "1")]))
    assert book_view(book, 5) is None
    assert not take(book, frame(5, 5, [("7", "1")]))
    assert restore(book, snapshot(4, [("6", "1"), ("4", "1")]))
    assert sides(book)["bids"] == {7: 1, 6: 1, 4: 1}


def test_a_change_that_repeats_in_part_is_put_on_top() -> None:
    """So begins a second connection: quantities are whole, so the end is the same; what is all known is dropped."""
    book = OrderBook()
    restore(book, snapshot(5, [("5", "5")]))
    assert take(book, frame(2, 4, [("5", "9")]))
    assert take(book, frame(4, 7, [("5", "6")]))
    assert (book.last, sides(book)["bids"]) == (7, {5: 6})


def test_prices_are_numbers_and_given_out_as_they_were_sent() -> None:
    """0.10 is 0.1000; no digit is lost beyond what a float holds."""
    book = OrderBook()
    restore(book, snapshot(1, [("0.1000", "1.0"), ("0.09999999999999999999", "3")], [("0.2", "9" * 30)]))
    take(book, frame(2, 2, [("0.10", "2.50")], [("12345678901234567890.12345678", "1")]))
    assert book_view(book, 2) == {
        "last": 2,
        "best_bid": "0.10",
        "best_bid_quantity": "2.50",
        "best_ask": "0.2",
        "best_ask_quantity": "9" * 30,
        "bids": [["0.10", "2.50"], ["0.09999999999999999999", "3"]],
        "asks": [["0.2", "9" * 30], ["12345678901234567890.12345678", "1"]],
    }
    take(book, frame(3, 3, [], [("0.20", "0"), ("12345678901234567890.12345678", "0")]))
    view = book_view(book, 1)
    assert view is not None
    assert (view["best_ask"], view["best_ask_quantity"], view["asks"], len(view["bids"])) == (None, None, [], 1)


@pytest.mark.parametrize(
    ("bids", "reason"),
    [
        ({}, "sequence.bids: expected a list of [price, quantity], found an object"),
        (None, "sequence.bids: expected a list of [price, quantity], found null"),
        ([["1"]], "sequence.bids: expected [price, quantity], found a list of 1"),
        ([["1", "x"]], "sequence.bids: not a number"),
        ([["1", "-2"]], "sequence.bids: expected [price, quantity]"),
        ([[None, "2"]], "sequence.bids: expected [price, quantity]"),
    ],
)
def test_levels_that_are_none_are_refused_whole(bids: Any, reason: str) -> None:
    """Before anything of the change is on the book."""
    document = {"data": {"s": "X", "U": 2, "u": 2, "b": bids, "a": []}}
    step = READING.step(document)
    assert step is not None
    with pytest.raises(PayloadRefused) as refused:
        READING.change(document, step)
    assert str(refused.value).startswith(reason)


@pytest.mark.parametrize("document", [[], {}, {"lastUpdateId": None, "bids": [], "asks": []}, {"code": -1121}])
def test_a_snapshot_that_is_none_is_refused(document: Any) -> None:
    """An error of the provider is no empty book."""
    with pytest.raises(PayloadRefused, match=r"sequence\.snapshot"):
        READING.picture(document)


def test_waiting_changes_and_levels_are_bounded() -> None:
    """The oldest change goes, and a snapshot from before it is not enough; a book beyond belief is begun anew."""
    book = OrderBook(max_waiting=2, max_levels=3)
    for number in (1, 2, 3):
        take(book, frame(number, number))
    assert not restore(book, snapshot(0))
    assert restore(book, snapshot(1))
    assert take(book, frame(4, 4, [("1", "1"), ("2", "1"), ("3", "1")]))
    assert not take(book, frame(5, 5, [("4", "1")]))


# --- against the whole history ------------------------------------------------------------------------------------

prices = st.integers(1, 8).map(str)
quantities = st.sampled_from(["0", "0.000", "1", "2.50", "3"])
levels = st.lists(st.tuples(prices, quantities), max_size=4)
changes = st.lists(st.tuples(st.integers(1, 4), levels, levels), min_size=1, max_size=25)


def put(books: Sides, bids: Any, asks: Any) -> Sides:
    """The books after a change, by the plainest reading of it."""
    after = {name: dict(side) for name, side in books.items()}
    for name, changed in (("bids", bids), ("asks", asks)):
        for price, quantity in changed:
            after[name][Decimal(price)] = Decimal(quantity)
        after[name] = {price: quantity for price, quantity in after[name].items() if quantity}
    return after


@given(changes, st.data())
def test_whatever_is_lost_doubled_or_late_a_book_in_sync_is_the_market(history: Any, data: st.DataObject) -> None:
    """Frames are dropped and repeated, snapshots are of any moment so far: the book is exact, or says it is not."""
    states: dict[int, Sides] = {0: {"bids": {}, "asks": {}}}
    book, last, moments = OrderBook(), 0, [0]
    for width, bids, asks in history:
        first, last = last + 1, last + width
        states[last] = put(states[moments[-1]], bids, asks)
        moments.append(last)
        for _ in range(data.draw(st.sampled_from([0, 1, 1, 1, 2]), "times")):
            synced = take(book, frame(first, last, bids, asks))
            if not synced and data.draw(st.booleans(), "asked"):
                moment = data.draw(st.sampled_from(moments), "moment")
                picture = {name: [(str(p), str(q)) for p, q in side.items()] for name, side in states[moment].items()}
                restore(book, snapshot(moment, picture["bids"], picture["asks"]))
        assert book.last is None or sides(book) == states[book.last]
    picture = {name: [(str(p), str(q)) for p, q in side.items()] for name, side in states[last].items()}
    if book.last is None:
        assert restore(book, snapshot(last, picture["bids"], picture["asks"]))
        assert sides(book) == states[last]
