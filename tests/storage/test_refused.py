"""Items that only PostgreSQL refuses are found one by one, within a budget, and nothing else is lost with them."""

from __future__ import annotations

import random
from typing import Any

import trio
from msgspec.structs import replace

from etl_actors.actors.loader import Loader
from etl_actors.messages import UNOWNED, Item, Loaded, Transformed
from etl_actors.paging import Page
from etl_actors.storage.opening import Storage

from ..actors.parts import transformed
from .opened import opened
from .test_commit import batch, count

TOO_LONG = "".join(random.Random(1).choices([chr(code) for code in range(0x4E00, 0x9FFF)], k=1_000))
BAD = {
    "no number": Item(coin_symbol="BAD", price="x"),
    "a NUL": Item(coin_symbol="B\0D", price="1"),
    "no JSON": Item(coin_symbol="BAD", price="1", extra='{"a":"\\u0000"}'),
    "too long for its index": Item(coin_symbol=TOO_LONG, price="1"),
}


def part_with(bad: dict[int, Item], *, many: int = 10_000) -> Transformed:
    """An extraction of so many items, the bad ones at their places."""
    good = Item(coin_symbol="BTC", quote_symbol="USDT", price="95000.50")
    items = tuple(bad.get(place, good) for place in range(many))
    sources = tuple((place + 1, {"n": place}) for place in range(many))
    return transformed(items=items, epoch=UNOWNED, sources=sources)


async def loaded(storage: Storage, *parts: Transformed) -> None:
    """Run these through a loader to the end."""
    loader = Loader(storage.writer, max_batch_rows=50_000, max_batch_age_seconds=0.1, on_epoch_lost=lambda lost: None)
    transformed_send, transformed_receive = trio.open_memory_channel[Transformed](len(parts))
    loaded_send, loaded_receive = trio.open_memory_channel[Loaded](100)
    for part in parts:
        transformed_send.send_nowait(part)
    await transformed_send.aclose()
    await loader.run(transformed_receive, loaded_send)
    loaded_receive.close()


async def test_each_kind_of_bad_item_is_found_at_its_place(database: str) -> None:
    """Exactly those, each with what PostgreSQL says."""
    async with opened(database) as storage:
        places = dict(zip((0, 17, 18, 9_999), BAD.values(), strict=True))
        found = await storage.writer.refused_items(part_with(places), copies=64)
    assert found is not None
    assert sorted(found) == [0, 17, 18, 9_999]
    assert "index" in found[9_999]
    assert count(database, "SELECT count(*) FROM api_connector_items") == 0


async def test_as_many_as_the_budget_allows_are_found(database: str) -> None:
    """One trial for each, and one that succeeds."""
    async with opened(database) as storage:
        part = part_with({place * 100: BAD["no number"] for place in range(63)})
        assert len(await storage.writer.refused_items(part, copies=64) or ()) == 63
        assert await storage.writer.refused_items(part, copies=63) is None


async def test_one_bad_item_of_ten_thousand_loses_no_other(database: str) -> None:
    """Stored are 9,999 and the response; the bad one is rejected as an element; a neighbour is not touched."""
    async with opened(database) as storage:
        await loaded(storage, part_with({5_000: BAD["too long for its index"]}), transformed(epoch=UNOWNED))
        (kept,) = (await storage.rejected.page(Page())).rejected
        assert (kept.kind, kept.position, kept.where) == ("element", 5_001, "element 5001")
        assert await storage.rejected.raw(kept, size=kept.size) == b'{"n":5000}'
    assert count(database, "SELECT count(*) FROM api_connector_items") == 9_999 + 2
    assert count(database, "SELECT count(*) FROM api_connector_data") == 2


async def test_a_body_that_is_refused_takes_its_items_along(database: str) -> None:
    """The items are not to blame: it is kept whole."""
    async with opened(database) as storage:
        part = replace(part_with({}, many=3), body=b'"\\u0000"')
        await loaded(storage, part)
        (kept,) = (await storage.rejected.page(Page())).rejected
        assert (kept.kind, kept.where, kept.size) == ("response", "", 8)
    assert count(database, "SELECT count(*) FROM api_connector_items") == 0


async def test_what_tells_items_apart_may_be_of_any_length_and_type(database: str) -> None:
    """Long names, and a `pair` of a mapping that is no text."""
    long = "".join(random.Random(2).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=1_000))
    odd: list[dict[str, Any]] = [
        {"coin_symbol": long, "quote_symbol": long, "coin_name": long},
        {"extra": '{"pair":5}'},
        {"extra": '{"pair":{"a":[1]}}'},
        {"extra": '{"pair":null}'},
    ]
    async with opened(database) as storage:
        items = tuple(Item(price="1", **one) for one in odd)
        await storage.writer.write(batch(transformed(items=items, epoch=UNOWNED)))
        latest, total = await storage.reader.latest_items("one", limit=9, offset=0)
    assert (len(latest), total) == (4, 4)
