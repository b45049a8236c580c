"""Items leave a running service as files, by Accept, on every route that gives items."""

from __future__ import annotations

import csv
import io
import json

import httpx
import pyarrow.parquet as pq
import pytest

from .test_routes import bad, good

CSV, NDJSON, PARQUET = "text/csv", "application/x-ndjson", "application/vnd.apache.parquet"


def ids(client: httpx.Client, path: str, kind: str) -> list[int]:
    """The ids in a download, in its order."""
    response = client.get(path, headers={"Accept": kind})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(kind)
    if kind == CSV:
        return [int(row["id"]) for row in csv.DictReader(io.StringIO(response.text))]
    if kind == NDJSON:
        return [json.loads(line)["id"] for line in response.text.splitlines()]
    read: list[int] = pq.read_table(io.BytesIO(response.content)).column("id").to_pylist()
    return read


@pytest.fixture
def until(client: httpx.Client) -> str:
    """A moment before which nothing is added any more."""
    moment: str = good(client, "/api/data/items", limit=1)["items"][0]["timestamp"]
    return moment


def test_parquet_has_every_item_once_with_the_digits_of_the_json(client: httpx.Client, until: str) -> None:
    """More than a page of JSON holds, in its order."""
    total = good(client, "/api/data/items", until=until, count="exact")["total"]
    response = client.get("/api/data/items", params={"until": until}, headers={"Accept": PARQUET})
    table = pq.read_table(io.BytesIO(response.content))
    assert table.num_rows == len(set(table.column("id").to_pylist())) == total > 4_000
    page = client.get("/api/data/items", params={"until": until, "limit": 500}).content
    items = json.loads(page, parse_float=str)["items"]
    for item, row in zip(items, table.slice(0, 500).to_pylist(), strict=True):
        assert row["id"] == item["id"]
        assert row["price"] == (None if item["price"] is None else str(item["price"]))
        assert json.loads(row["extra"] or "null", parse_float=str) == item["extra"]


@pytest.mark.parametrize("kind", [CSV, NDJSON, PARQUET])
@pytest.mark.parametrize(
    "path",
    [
        "/api/data/items?connector_id=coingecko_top&order=timestamp&limit=700&offset=3",
        "/api/data/items/coingecko_trending?limit=7",
        "/api/data/items/symbol/btc?limit=5",
    ],
)
def test_filters_order_and_limit_count(client: httpx.Client, until: str, path: str, kind: str) -> None:
    """The same rows as a page of JSON."""
    expected = [item["id"] for item in good(client, f"{path}&until={until}")["items"]]
    assert expected
    assert ids(client, f"{path}&until={until}", kind) == expected


@pytest.mark.parametrize("kind", [CSV, NDJSON, PARQUET])
def test_the_newest_of_each_pair_leave_as_files_too(client: httpx.Client, kind: str) -> None:
    """All of them, and so many as a limit says, while polls go on."""
    path = "/api/data/binance_prices/items/latest"
    total = good(client, path, limit=1)["total"]
    found = ids(client, path, kind)
    assert len(found) == len(set(found)) == total > 2_000
    assert len(ids(client, f"{path}?limit=5&offset=2", kind)) == 5


def test_mistakes_are_named_whatever_is_accepted(client: httpx.Client) -> None:
    """Problem documents, and no files that hold one."""
    for kind in (CSV, NDJSON, PARQUET):
        headers = {"Accept": kind}
        assert bad(client, "GET", "/api/data/items?limit=0", 422, headers=headers)["errors"][0]["path"] == "query.limit"
        bad(client, "GET", "/api/data/items/nosuch", 404, headers=headers)
        bad(client, "GET", "/api/data/nosuch/items/latest", 404, headers=headers)
