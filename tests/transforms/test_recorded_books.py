"""The recorded snapshots and changes of one stream yield the exact book, by an oracle that shares nothing with ours.

The oracle holds, for every price of the snapshot and every change behind it, the quantity that was said last: a plain
reading of the whole recording, without a book, an order or a buffer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from etl_actors.messages import Gap
from etl_actors.transforms.documents import decode_document
from etl_actors.transforms.order_book import OrderBook
from etl_actors.transforms.sequence import SequenceCheck

from ..config.recordings import found, needs_recordings, recordings
from .test_order_book import READING, restore, sides, take

pytestmark = needs_recordings
SNAPSHOTS = "binance_depth_*_limit1000_2021-10-12.json"
EVERYTHING = 10**6


def symbol_of(snapshot: Path) -> str:
    """``NKNUSDT`` of the name of its file."""
    return snapshot.name.split("_")[2]


def frames(symbol: str) -> Iterator[bytes]:
    """Every frame of the combined stream, in order; of those with changes, only this symbol's."""
    for path in found("binance_ws_combined_2021-10-12.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            said = json.loads(line)
            if said["dir"] == "recv" and not ("depthUpdate" in said["data"] and f'"{symbol}"' not in said["data"]):
                yield said["data"].encode()


def oracle(symbol: str, snapshot: dict[str, Any]) -> dict[str, dict[Decimal, Decimal]]:
    """For each price what was said of it last, where that is not nothing."""
    said: dict[str, list[tuple[int, str, str]]] = {"bids": [], "asks": []}
    for side, every in said.items():
        every += [(snapshot["lastUpdateId"], price, quantity) for price, quantity, *_ in snapshot[side]]
    for frame in frames(symbol):
        # Read by hand, so that a mistake in our reading of JSON would show, too.
        number = re.search(rb'"u":(\d+)', frame)
        if b'"depthUpdate"' in frame and number is not None:
            for side, name in (("bids", b"b"), ("asks", b"a")):
                listed = re.search(rb'"%s":(\[(?:\["[0-9.]+","[0-9.]+"\],?)*\])' % name, frame)
                assert listed is not None
                said[side] += [(int(number[1]), price, quantity) for price, quantity in json.loads(listed[1])]
    newest: dict[str, dict[Decimal, Decimal]] = {}
    for side, every in said.items():
        behind = sorted((one for one in every if one[0] >= snapshot["lastUpdateId"]), key=lambda one: one[0])
        last = {Decimal(price): Decimal(quantity) for _, price, quantity in behind}
        newest[side] = {price: quantity for price, quantity in last.items() if quantity}
    return newest


@pytest.mark.parametrize("path", recordings(SNAPSHOTS))
@pytest.mark.parametrize("waiting", [0, 1, 3, 12])
def test_the_recorded_book_is_exact(path: Path, waiting: int) -> None:
    """However many changes wait when the snapshot comes, at the end every price has the quantity said of it last."""
    symbol, snapshot = symbol_of(path), json.loads(path.read_bytes())
    book, check = OrderBook(), SequenceCheck(READING)
    gaps: list[Gap] = []
    taken = 0
    for frame in frames(symbol):
        if taken == waiting and book.last is None:
            assert restore(book, decode_document(path.read_bytes(), max_depth=50))
        document = decode_document(frame, max_depth=50)
        gaps += [gap for gap in [check.see(document)] if gap is not None]
        if READING.step(document) is not None:
            synced = take(book, document)
            taken += 1
            assert synced == (taken > waiting)
    expected = oracle(symbol, snapshot)
    assert taken >= 15
    assert gaps == []
    assert sides(book) == expected
    assert [level.price for level in book.best_bids(EVERYTHING)] == sorted(expected["bids"], reverse=True)
    assert [level.price for level in book.best_asks(EVERYTHING)] == sorted(expected["asks"])
    assert book.best_bids(1)[0].price < book.best_asks(1)[0].price


@pytest.mark.parametrize("path", recordings(SNAPSHOTS))
def test_a_lost_frame_is_a_gap_and_costs_the_book(path: Path) -> None:
    """Whichever change of the recording is lost: its numbers are reported, and the book does not pretend."""
    symbol = symbol_of(path)
    documents = [decode_document(frame, max_depth=50) for frame in frames(symbol)]
    changes = [(document, step) for document in documents if (step := READING.step(document)) is not None]
    picture = READING.picture(decode_document(path.read_bytes(), max_depth=50))
    behind = [place for place, (_, step) in enumerate(changes) if step.first > picture.last]
    for lost in behind[1:-1]:
        book, check = OrderBook(), SequenceCheck(READING)
        book.restore(picture)
        gaps = []
        for place, (document, step) in enumerate(changes):
            if place != lost:
                gaps.append(check.see(document))
                book.take(READING.change(document, step))
        step = changes[lost][1]
        assert [gap for gap in gaps if gap] == [Gap(key=symbol, first=step.first, last=step.last)]
        assert book.last is None
