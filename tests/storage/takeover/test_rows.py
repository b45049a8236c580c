"""A database that the original made becomes ours: every row is found, and all that hangs on rows is exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from etl_actors.messages import Item
from etl_actors.paging import Page
from etl_actors.storage.opening import Storage

from ...actors.parts import transformed
from ..opened import opened
from ..test_commit import batch
from .original import (
    CONNECTORS,
    FILE_ROWS,
    ITEM_ROWS,
    MESSAGES,
    RESPONSES,
    ask,
    make_original,
    run,
)

ORIGINALS = ("api_connectors", "api_connector_data", "api_connector_items", "websocket_data", "files", "file_data")
GROWING = ("api_connector_data", "api_connector_items", "websocket_data")


def counts(database: str, suffix: str = "") -> dict[str, object]:
    """Rows of each table."""
    return {table: ask(database, f"SELECT count(*) FROM {table}{suffix}")[0][0] for table in ORIGINALS}


def assert_exact(database: str) -> None:
    """What is kept beside the rows is what counting and looking give."""
    for table in GROWING:
        kept = f"SELECT partition_start, connector_id, rows FROM row_counts WHERE table_name = '{table}' AND rows > 0"
        counted = (
            "SELECT (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''([^'']+)'))[1]::timestamptz,"
            f" coalesce(t.connector_id, ''), count(*) FROM {table} AS t JOIN pg_class AS c ON c.oid = t.tableoid"
            " GROUP BY 1, 2"
        )
        assert sorted(ask(database, kept), key=repr) == sorted(ask(database, counted), key=repr)
    newest = (
        "SELECT DISTINCT ON (connector_id, coin_symbol, quote_symbol, coin_name) connector_id, timestamp, id"
        " FROM api_connector_items ORDER BY connector_id, coin_symbol, quote_symbol, coin_name, timestamp DESC, id DESC"
    )
    assert sorted(ask(database, "SELECT connector_id, timestamp, item_id FROM item_latest")) == sorted(
        ask(database, newest)
    )


def assert_same_rows(database: str) -> None:
    """Every row of the original is ours, by id and content, once."""
    for table, columns in (
        ("api_connector_data", "id, connector_id, response_data, raw_response"),
        ("api_connector_items", "id, connector_id, coin_symbol, coin_name, exchange, price, response_time_ms"),
        ("websocket_data", "id, message_type, data"),
    ):
        ours = f"SELECT {columns}, timestamp AT TIME ZONE 'UTC' FROM {table}"
        theirs = f"SELECT {columns}, timestamp FROM {table}_v0"
        assert ask(database, f"({ours} EXCEPT ALL {theirs}) UNION ALL ({theirs} EXCEPT ALL {ours})") == []
    theirs = "SELECT id, file_id, row_data FROM file_data_v0"
    ours = "SELECT id, file_id, row_data FROM file_data"
    assert ask(database, f"({ours} EXCEPT ALL {theirs}) UNION ALL ({theirs} EXCEPT ALL {ours})") == []


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
        assert sorted(row["id"] for row in items) == list(range(1, ITEM_ROWS + 1))  # type: ignore[type-var]
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
    assert_same_rows(database)
    assert_exact(database)


async def test_connectors_keep_their_names_and_files_get_what_they_lack(database: str) -> None:
    """Types by the name, rows by counting, their numbers by their order."""
    make_original(database)
    async with opened(database):
        pass
    named = ask(database, "SELECT id, connector_name, source_id, created_at FROM api_connectors ORDER BY id")
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    assert named[:3] == [(n, *CONNECTORS[name], noon) for n, name in enumerate(CONNECTORS, start=1)]
    half = FILE_ROWS // 2
    assert ask(database, "SELECT id, filename, file_type, file_size, row_count FROM files ORDER BY id") == [
        (1, "a.csv", "text/csv", 12, half),
        (2, "b.json", "json", 0, half),
    ]
    numbers = ask(database, "SELECT row_number FROM file_data WHERE file_id = 1 ORDER BY id")
    assert numbers == [(n,) for n in range(1, half + 1)]


async def test_without_a_table_of_items_the_rest_is_taken_over(database: str) -> None:
    """The documentation does not show that table."""
    make_original(database, items=False)
    async with opened(database) as storage:
        assert (await storage.reader.items(Page())).total.rows == 0
        assert (await storage.reader.response_keys(Page())).total.rows == RESPONSES


async def test_empty_tables_are_taken_over_too(database: str) -> None:
    """An original that was set up and never ran."""
    make_original(database, rows=False)
    async with opened(database) as storage:
        assert (await storage.reader.response_keys(Page())).total.rows == 0
    assert set(counts(database, "_v0").values()) == {0}


async def test_new_rows_get_ids_beyond_those_of_the_original(database: str) -> None:
    """Ids stay unique and rise."""
    make_original(database)
    async with opened(database) as storage:
        claim = await storage.claims.claim("one")
        await storage.writer.write(batch(transformed(items=3, epoch=claim.epoch, received_at=datetime.now(UTC))))
        items = await found_items(storage, connector_id="one")
        key = await storage.reader.latest_response_key("one")
    assert [row["id"] for row in items] == [ITEM_ROWS + 3, ITEM_ROWS + 2, ITEM_ROWS + 1]
    assert key is not None
    assert key[1] == RESPONSES + 1
    run(database, "INSERT INTO files (filename, file_type, file_size) VALUES ('c.csv', 'csv', 1)")
    assert ask(database, "SELECT max(id) FROM files") == [(3,)]
    assert_exact(database)


async def test_a_live_item_follows_the_last_one_of_the_original(database: str) -> None:
    """The newest item of a pair is one and the same for rows of both, with a symbol or with a pair only."""
    make_original(database)
    run(
        database,
        "ALTER TABLE api_connector_items ADD COLUMN extra jsonb",
        "INSERT INTO api_connectors (connector_id, connector_name) VALUES ('one', 'One')",
        "INSERT INTO api_connector_items (connector_id, coin_symbol, coin_name, extra) VALUES"
        """ ('one', 'BTC', NULL, NULL), ('one', 'ETH', 'Ether', NULL), ('one', NULL, 'x', '{"pair": "XY"}'),"""
        " ('one', NULL, NULL, NULL)",
    )
    live = (
        Item(coin_symbol="BTC", price="1"),
        Item(coin_symbol="ETH", coin_name="Ether", price="1"),
        Item(price="1", extra='{"pair":"XY"}'),
        Item(price="1"),
    )
    async with opened(database) as storage:
        _, before = await storage.reader.latest_items("one", limit=10, offset=0)
        claim = await storage.claims.claim("one")
        await storage.writer.write(batch(transformed(items=live, epoch=claim.epoch, received_at=datetime.now(UTC))))
        latest, after = await storage.reader.latest_items("one", limit=10, offset=0)
    assert (before, after) == (4, 4)
    assert min(row.id for row in latest) > ITEM_ROWS + 4


async def test_nothing_disappears_because_of_the_takeover(database: str) -> None:
    """With the default retention years of history are served until it has passed from the takeover on."""
    make_original(database, days=3 * 365)
    now = datetime.now(UTC)
    async with opened(database) as storage:
        await storage.retention.sweep(now)
        assert (await storage.reader.items(Page())).total.rows == ITEM_ROWS
        await storage.retention.sweep(now + timedelta(days=2, minutes=5))
        assert (await storage.reader.items(Page())).total.rows == ITEM_ROWS
        assert (await storage.reader.response_keys(Page())).total.rows < RESPONSES / 10
        await storage.retention.sweep(now + timedelta(days=7, minutes=5))
        assert (await storage.reader.items(Page())).total.rows < ITEM_ROWS / 10
    assert counts(database, "_v0")["api_connector_data"] == RESPONSES


@pytest.mark.parametrize("days", [0.01, 1, 30, 3650])
async def test_the_history_is_cut_into_few_partitions(database: str, days: int) -> None:
    """However long it is; and none of it holds more than a share of the rows."""
    make_original(database, days=days)
    async with opened(database):
        pass
    sizes = ask(database, "SELECT partition_start, sum(rows) FROM row_counts WHERE table_name LIKE '%items' GROUP BY 1")
    assert 12 <= len(sizes) <= 26
    assert max(int(str(rows)) for _, rows in sizes) <= ITEM_ROWS / 5


async def test_what_is_not_the_originals_own_is_left_alone(database: str) -> None:
    """Other tables stay, views go on showing what they showed, rows of connectors nobody lists are found."""
    make_original(database)
    run(
        database,
        "CREATE TABLE jobs (id serial PRIMARY KEY, note text)",
        "INSERT INTO jobs (note) VALUES ('mine')",
        "CREATE VIEW prices AS SELECT coin_symbol, price FROM api_connector_items",
        "ALTER TABLE api_connector_data DROP CONSTRAINT api_connector_data_connector_id_fkey",
        "INSERT INTO api_connector_data (connector_id, response_data) VALUES ('unlisted', '{}')",
    )
    async with opened(database) as storage:
        assert await storage.reader.knows_connector("unlisted")
    assert ask(database, "SELECT id, note FROM jobs") == [(1, "mine")]
    assert ask(database, "SELECT count(*) FROM prices") == [(ITEM_ROWS,)]
    assert ask(database, "SELECT to_regclass('jobs_id_seq') IS NOT NULL") == [(True,)]
