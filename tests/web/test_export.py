"""What leaves as a file is what was asked for, safe to open in a spreadsheet, and whole or visibly broken off."""

from __future__ import annotations

import csv
import io
import itertools
import json
from contextlib import aclosing
from functools import partial
from typing import Any

import httpx
import pytest
import trio
from msgspec import Raw
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from etl_actors.web.export import CSV, JSON, NDJSON, PARQUET, accepted_kind
from etl_actors.web.export.lines import ndjson_pieces
from etl_actors.web.export.parquet import parquet_pieces
from etl_actors.web.export.spreadsheet import csv_pieces

from .exports import COLUMNS, Slices, begun, exported, exporting, row


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("image/png", JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", JSON),
        ("application/json", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV", CSV),
        ("text/csv; charset=utf-8", CSV),
        ("text/csv;header=present;q=0.5, application/x-ndjson;q=0.4", CSV),
        ("text/csv;q=0.2, application/x-ndjson;q=0.8", NDJSON),
        ("text/csv;q=0, */*;q=0.1", JSON),
        ("text/csv, */*;q=0.1", CSV),
        ("application/ndjson", NDJSON),
        ("application/vnd.apache.parquet", PARQUET),
        ("application/parquet", PARQUET),
        ("application/x-parquet", PARQUET),
        ("application/parquet;q=0.9, text/csv;q=0.8", PARQUET),
        ("application/json;q=0.5, application/vnd.apache.parquet", PARQUET),
        ("nonsense;;q=x", JSON),
    ],
)
def test_accept_decides_with_its_q_values(accept: str, kind: str) -> None:
    """What nobody here makes, and what leaves it open, is answered with JSON."""
    assert accepted_kind(parse_accept_header(accept, MIMEAccept)) == kind


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1+1", "@x", "\tx", "\rx", "\nx", "＝cmd()"])
async def test_a_text_that_looks_like_a_formula_is_neutralised(text: str) -> None:
    """With an apostrophe; it comes back whole behind it."""
    table = await exported(Slices([[row(coin_name=text)]]), CSV)
    (read,) = csv.DictReader(io.StringIO(table.decode(), newline=""))
    assert read["coin_name"] == f"'{text}"


async def test_a_number_keeps_its_sign_and_its_digits() -> None:
    """It is no text, whatever it begins with; nor is JSON."""
    numbers = {"price_change_24h": Raw(b"-1.50"), "market_cap": Raw(b"42724884822537020000000.50")}
    table = await exported(Slices([[row(price="-0.000000012345678901234567890", **numbers)]]), CSV)
    (read,) = csv.DictReader(io.StringIO(table.decode()))
    assert read["price"] == "-0.000000012345678901234567890"
    assert read["price_change_24h"] == "-1.50"
    assert read["market_cap"] == "42724884822537020000000.50"


async def test_csv_has_a_header_and_quotes_what_needs_it() -> None:
    """RFC 4180, in UTF-8: commas, quotes, line ends, any script; null is empty."""
    texts = ["a,b", 'say "hi"', "two\r\nlines", "Биткоин 比特币 🪙", "don't", ""]
    rows = [row(number, None, coin_name=text, extra=Raw(b'{"a":"b,c"}')) for number, text in enumerate(texts)]
    table = await exported(Slices([rows]), CSV)
    lines = list(csv.reader(io.StringIO(table.decode(), newline="")))
    assert lines[0] == list(COLUMNS)
    assert [line[COLUMNS.index("coin_name")] for line in lines[1:]] == texts
    assert {(line[COLUMNS.index("price")], line[COLUMNS.index("extra")]) for line in lines[1:]} == {("", '{"a":"b,c"}')}
    assert table.startswith(b"id,connector_id,")
    assert b"\r\n0,one,One," in table


async def test_ndjson_has_one_object_a_line() -> None:
    """With the digits as they are, and line ends inside texts escaped."""
    content = await exported(Slices([[row(1), row(2, None, coin_name="two\nlines")]]), NDJSON)
    first, second = content.decode().splitlines()
    assert '"price":95000.50,' in first
    assert json.loads(second)["coin_name"] == "two\nlines"
    assert json.loads(second)["price"] is None


@pytest.mark.parametrize("kind", [CSV, NDJSON, PARQUET])
async def test_what_fails_at_once_is_told_with_a_status(kind: str) -> None:
    """Not as an empty file with a 200."""
    async with exporting(Slices([[row()]], fails_after=0)) as client:
        response = await client.get("/", headers={"Accept": kind})
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("kind", [CSV, NDJSON, PARQUET])
async def test_what_fails_later_breaks_the_answer_off(kind: str) -> None:
    """The client sees an error, and no file that only looks whole."""
    async with exporting(Slices([[row()], [row()]], fails_after=1)) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/", headers={"Accept": kind})


@pytest.mark.parametrize("kind", [CSV, NDJSON, PARQUET])
async def test_a_client_that_leaves_ends_the_reading(kind: str) -> None:
    """After the first bytes of an export without end; the slices are closed soon after."""
    slices = Slices([row(number) for number in range(2_000)] for _ in itertools.count())
    async with exporting(slices) as client:
        async with await trio.open_tcp_stream("127.0.0.1", client.base_url.port or 0) as socket:
            await socket.send_all(f"GET / HTTP/1.1\r\nHost: here\r\nAccept: {kind}\r\n\r\n".encode())
            assert (await socket.receive_some(15)).startswith(b"HTTP/1.1 200")
        with trio.fail_after(10):
            await slices.closed.wait()


@pytest.mark.parametrize(
    "pieces", [partial(csv_pieces, columns=COLUMNS), ndjson_pieces, partial(parquet_pieces, columns=COLUMNS)]
)
async def test_an_export_that_ends_after_its_first_piece_lets_go_of_its_rows(pieces: Any) -> None:
    """Such as the header, before any row was looked at."""
    slices = Slices([[row()], [row()]])
    async with aclosing(pieces(await begun(slices))) as export:
        await anext(export)
    assert slices.closed.is_set()


@pytest.mark.parametrize("kind", [CSV, NDJSON, PARQUET])
async def test_the_headers_say_what_it_is(kind: str) -> None:
    """Type, file name, and that it depends on Accept; a HEAD gets them without any row being read."""
    slices = Slices([[row()]])
    async with exporting(slices) as client:
        head = await client.head("/", headers={"Accept": kind})
        assert slices.given == 0
        whole = await client.get("/", headers={"Accept": kind})
    for response in (head, whole):
        assert response.headers["content-type"].partition(";")[0] == kind
        assert response.headers["content-disposition"].startswith('attachment; filename="items.')
        assert "Accept" in response.headers["vary"]
