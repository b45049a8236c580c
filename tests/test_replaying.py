"""What a rejected payload becomes under another mapping: as a whole, as a frame, as one element."""

from __future__ import annotations

from typing import Any

import pytest

from etl_actors.damage import Damage
from etl_actors.errors import PayloadRefused
from etl_actors.messages import UNOWNED, StoredRejected, Transformed
from etl_actors.replaying import Remapper
from etl_actors.settings import ConnectorSettings, ItemMapping
from etl_actors.transforms.damage import mended_document
from etl_actors.transforms.documents import decode_document
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.symbols import SymbolTable

from .actors.parts import RECEIVED

ITEMS = ItemMapping(coin_symbol="s", price="p", market_cap_rank="position()")


async def read(body: bytes) -> tuple[Any, Damage | None]:
    try:
        return decode_document(body, max_depth=50), None
    except PayloadRefused:
        if (found := mended_document(body, max_depth=50)) is None:
            raise
        return found


def kept(**changes: Any) -> StoredRejected:
    """A rejected payload of "one"."""
    fields: dict[str, Any] = {
        "id": 7, "connector_id": "one", "received_at": RECEIVED, "reason": "", "where": "", "size": 1,
        "kind": "response", "response_time_ms": 12, "fingerprint": b"f" * 16,
    }  # fmt: skip
    return StoredRejected(**(fields | changes))


async def remapped(raw: bytes, one: StoredRejected, **settings: Any) -> Transformed | None:
    """It, under a connector with these settings."""
    options = {"connector_id": "one", "url": "https://example.org", "source_id": "binance", "items": ITEMS} | settings
    connector = ConnectorSettings(**options)
    return await Remapper(read).remap(one, raw, connector, Mapping(connector, SymbolTable()))


async def test_an_element_has_its_old_time_and_place() -> None:
    """It has no body of its own, and moves no state."""
    one = kept(kind="element", where="element 3, price", position=3)
    part = await remapped(b'{"s":"BTC","p":1.50}', one)
    assert part is not None
    assert (part.kind, part.has_body, part.event_type) == ("element", False, "price_update")
    assert (part.received_at, part.response_time_ms, part.epoch) == (RECEIVED, 12, UNOWNED)
    assert [(item.coin_symbol, item.price, item.market_cap_rank) for item in part.items] == [("BTC", "1.50", 3)]
    assert part.replays == (RECEIVED, 7)


async def test_an_element_from_before_is_told_by_its_place() -> None:
    """All that its row says."""
    part = await remapped(b'{"s":"BTC","p":1}', kept(kind=None, where="element 12"))
    assert part is not None
    assert (part.kind, part.items[0].market_cap_rank) == ("element", 12)


async def test_a_whole_answer_keeps_what_is_good_of_it() -> None:
    """Also one of which, when it was rejected, a single bad value was enough to reject it."""
    part = await remapped(b'[{"s":"A","p":1},{"s":"B","p":NaN}]', kept())
    assert part is not None
    assert (len(part.items), part.rejected[0].raw, part.body) == (
        1, b'{"s":"B","p":NaN}', b'[{"s":"A","p":1},{"s":"B","p":null}]',
    )  # fmt: skip
    assert (part.kind, part.has_body, part.replays) == ("response", True, (RECEIVED, 7))


@pytest.mark.parametrize(
    ("raw", "settings", "says"),
    [
        (b"<html>", {}, "HTML"),
        (b'{"a":1}', {}, "expected a list"),
        (b'[{"s":"A","p":"x"}]', {}, "not a number"),
        (b'{"code":-1,"msg":"no"}', {"error": "code"}, "no"),
        (b"[NaN]", {"items": None}, "NaN"),
    ],
)
async def test_what_is_wrong_still_is_told(raw: bytes, settings: dict[str, Any], says: str) -> None:
    """By the reason of today."""
    with pytest.raises(PayloadRefused, match=says):
        await remapped(raw, kept(), **settings)


async def test_an_element_is_nothing_to_a_connector_without_items() -> None:
    """There is no mapping for it."""
    with pytest.raises(PayloadRefused, match="makes no items"):
        await remapped(b'{"s":"A"}', kept(kind="element", position=1), items=None)


STREAM = {"kind": "websocket", "url": "wss://example.org", "message_type": "e", "ignore": "e == 'ack'"}


@pytest.mark.parametrize("kind", ["frame", None])
async def test_a_frame_stays_a_frame(kind: Any) -> None:
    """With what its provider calls it; a row from before is one where its connector follows a stream."""
    part = await remapped(
        b'{"e":"trade","s":"A","p":1}', kept(kind=kind), items=ItemMapping(price="p", single=True), **STREAM
    )
    assert part is not None
    assert (part.kind, part.message_type, len(part.items)) == ("frame", "trade", 1)


async def test_what_the_mapping_of_today_leaves_out_is_nothing() -> None:
    """A frame that is ignored, an element that is skipped."""
    assert await remapped(b'{"e":"ack"}', kept(kind="frame"), **STREAM) is None
    skipping = ItemMapping(price="p", skip="p == 'x'")
    assert await remapped(b'{"p":"x"}', kept(kind="element", position=1), items=skipping) is None
