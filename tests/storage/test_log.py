"""What is read back from the log is what was published live: every kind, in order, every digit."""

from __future__ import annotations

import json
from typing import Any

from etl_actors.messages import UNOWNED, Event, Item, Transformed
from etl_actors.storage.opening import Storage

from ..actors.parts import transformed
from .opened import opened
from .test_commit import batch

PLENTY = 1_000_000
EXACT = Item(
    coin_name="Bitcoin",
    coin_symbol="btc",
    quote_symbol="USDT",
    price="95000.50",
    market_cap="0." + "0" * 60 + "123456789012345678901234567890",
    volume_24h="9" * 40,
    price_change_24h="-1.10",
    market_cap_rank=1,
    extra='{"pair":"BTCUSDT","high":95000.50,"deep":[{"é":null}]}',
)


def plain(event: Event) -> tuple[Any, ...]:
    """An event with its texts as the values they are, numbers exactly."""
    return (
        event.offset,
        event.event_id,
        event.type,
        event.connector_id,
        event.timestamp,
        value(event.encoded),
        [(symbol, value(text)) for symbol, text in event.items],
    )


def value(text: bytes) -> Any:
    """JSON whose numbers keep every digit."""
    return json.loads(text, parse_float=_number, parse_int=_number)


def _number(digits: str) -> tuple[str, str]:
    return "number", digits


def of_every_kind(epoch: int) -> list[Transformed]:
    """One of everything that has an event, and what has none in between."""
    body = '{"price":95000.50,"many":12345678901234567890123,"text":"ü\\u0007"}'.encode()
    frame = {"kind": "frame", "epoch": epoch, "response_time_ms": 0}
    said = {"kind": "message", "epoch": UNOWNED, "connector_id": "", "items": (), "api_name": "", "exchange": ""}
    return [
        transformed(items=(EXACT, Item(coin_symbol="ETH", price="100")), epoch=epoch),
        transformed(items=(), has_items=True, epoch=epoch),
        transformed(items=(), epoch=epoch, body=b"\xef\xbb\xbf" + body),
        transformed(items=(), epoch=epoch, store_response=False),
        transformed(items=3, message_type="miniTicker", body=b'[{"s":"BTCUSDT"}]', **frame),
        transformed(items=(), has_items=True, message_type="trade", body=body, **frame),
        transformed(**said, message_type="note", body=b'{"type":"note","n":1.50,"offset":"mine","id":7}'),
        transformed(items=(), kind="notice", message_type="gap", body=b'{"key":"K","from":1,"to":2}', epoch=epoch),
        transformed(items=(), kind="notice", message_type="connector_status", body=b'{"state":"stale"}', epoch=epoch),
    ]


async def read_all(storage: Storage, *, since: int = 0, limit: int = 1_000, max_bytes: int = PLENTY) -> list[Event]:
    """Page after page, to the end."""
    found: list[Event] = []
    while page := await storage.log.after(since, limit=limit, max_bytes=max_bytes):
        found += page
        since = page[-1].offset
    return found


async def test_every_kind_of_event_comes_back_as_it_was_published(database: str) -> None:
    """Answers, frames, messages and notices: the same JSON, the same items, the same order."""
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        live = await storage.writer.write(batch(*of_every_kind(claim.epoch)))
        again = await read_all(storage)
        bounds = await storage.log.bounds()
        stream = await storage.reader.stream()
    assert [event.type for event in again] == [
        "price_update", "price_update", "data_update", "price_update", "data_update", "note", "gap", "connector_status",
    ]  # fmt: skip
    assert [plain(event) for event in again] == [plain(event) for event in live]
    assert bounds == (stream[0], 1, 8)
