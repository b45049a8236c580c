"""A database that the original made becomes ours: every row is found, exactly once, whatever happens meanwhile."""

from __future__ import annotations

import msgspec

from etl_actors.paging import Page
from etl_actors.storage.opening import Storage

from .opened import opened
from .original import (
    CONNECTORS,
    FILE_ROWS,
    ITEM_ROWS,
    MESSAGES,
    RESPONSES,
    ask,
    make_original,
)

ORIGINALS = ("api_connectors", "api_connector_data", "api_connector_items", "websocket_data", "files", "file_data")


def counts(database: str, suffix: str = "") -> dict[str, object]:
    """Rows of each table."""
    return {table: ask(database, f"SELECT count(*) FROM {table}{suffix}")[0][0] for table in ORIGINALS}


async def found_items(storage: Storage, **filters: object) -> list[dict[str, object]]:
    """Every item, by pages."""
    rows: list[dict[str, object]] = []
    page = Page(limit=1_000, **filters)  # type: ignore[arg-type]
    while True:
        answer = await storage.reader.items(page)
        rows += msgspec.json.decode(msgspec.json.encode(answer.items))
        if answer.next_key is None:
            assert answer.total.rows == len(rows)
            return rows
        page = msgspec.structs.replace(page, after=answer.next_key)


async def test_every_row_of_the_original_is_found(database: str) -> None:
    """Responses and items by connector and symbol, with exact totals, their ids and their times."""
    make_original(database)
    async with opened(database) as storage:
        items = await found_items(storage)
        assert sorted(row["id"] for row in items) == list(range(1, ITEM_ROWS + 1))
        assert len(await found_items(storage, symbol="c3")) == ITEM_ROWS / 10
        assert len(await found_items(storage, exchange="kraken")) == ITEM_ROWS / 3
        assert len(await found_items(storage, connector_id="kraken_own")) == ITEM_ROWS / 3
        responses = await storage.reader.response_keys(Page(limit=10_000))
        assert (len(responses.keys), responses.total.rows) == (RESPONSES, RESPONSES)
        mine = await storage.reader.response_keys(Page(limit=10_000, connector_id="binance_24hr"))
        assert (len(mine.keys), mine.total.rows) == (RESPONSES / 3, RESPONSES / 3)
        assert await storage.reader.knows_connector("kraken_own")
        key = await storage.reader.latest_response_key("binance_24hr")
        assert key is not None
        newest = await storage.reader.response(key)
    assert newest is not None
    assert (newest.id, newest.stream_offset) == (RESPONSES, None)
    assert bytes(newest.response_data) == b'{"n": 3000, "price": 95000.50}'
    found = counts(database)
    assert found.pop("api_connectors") == len(CONNECTORS) + 2  # two more are configured
    assert found == {
        "api_connector_data": RESPONSES,
        "api_connector_items": ITEM_ROWS,
        "websocket_data": MESSAGES,
        "files": 2,
        "file_data": FILE_ROWS,
    }
    assert counts(database, "_v0") == found | {"api_connectors": len(CONNECTORS)}
