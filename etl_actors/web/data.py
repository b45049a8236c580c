"""What was stored, over REST: items and responses, by page.

A page of responses can be large (a body has a megabyte or more), so it leaves as a stream: bodies are read one at a
time, no connection to the database is held while a slow client reads, and memory stays flat.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
import trio
from msgspec.structs import replace
from quart import Blueprint, Response, request

from ..paging import Key, Page
from ..settings.request_body import EXTRACT_ID
from ..wire import ItemRow, ResponseRow
from . import examples
from .answers import ItemsAnswer, ResponsesAnswer
from .export import CSV, JSON, NDJSON, PARQUET, accepted_kind, export_response
from .openapi.documented import Answer, documented
from .parameters import single_values
from .ports import Reader, Statuses
from .problems import invalid, json_response, not_found
from .query import CONNECTOR, EXCHANGE, ITEM_FILTERS, PAGING, RESPONSE_FILTERS, next_link, read_page

SLICE_ROWS = 500
ITEM_COLUMNS = ItemRow.__struct_fields__
ITEMS = Answer(
    ItemsAnswer,
    "A page of items; by `Accept` all items as CSV, NDJSON or Parquet.",
    examples.ITEMS,
    media={
        CSV: {"type": "string", "description": "A header line, then an item a line."},
        NDJSON: {"type": "string", "description": "An item a line, each as in the JSON answer."},
        PARQUET: {"type": "string", "format": "binary", "description": "Numbers are texts with every digit."},
    },
)
RESPONSES = Answer(ResponsesAnswer, "A page of responses.", examples.RESPONSES)


def data_routes(reader: Reader, statuses: Statuses) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("data", __name__, url_prefix="/api/data")

    async def must_exist(connector_id: str) -> None:
        if "\0" in connector_id or len(connector_id) > 255:
            raise not_found("there is no such connector")
        if statuses.connector(connector_id) is None and not await reader.knows_connector(connector_id):
            if connector_id == EXTRACT_ID:
                raise not_found("nothing was extracted yet: POST /api/data/extract fetches a url and keeps the answer")
            raise not_found(f"there is no connector {connector_id!r}")

    @routes.get("/items")
    @routes.get("/items/")
    @documented("List items", parameters=(*ITEM_FILTERS, CONNECTOR), answers={200: ITEMS}, problems=(406, 503))
    async def items() -> Response:
        return await _items(reader)

    @routes.get("/items/<connector_id>")
    @documented("List the items of a connector", parameters=ITEM_FILTERS, answers={200: ITEMS}, problems=(406, 503))
    async def items_of_connector(connector_id: str) -> Response:
        await must_exist(connector_id)
        return await _items(reader, connector_id=connector_id)

    @routes.get("/items/symbol/<path:symbol>")
    @documented(
        "List the items of a symbol",
        parameters=(*RESPONSE_FILTERS, EXCHANGE, CONNECTOR),
        answers={200: ITEMS},
        problems=(503,),
    )
    async def items_of_symbol(symbol: str) -> Response:
        return await _items(reader, symbol=symbol)

    @routes.get("/<connector_id>/items/latest")
    @documented("The newest item of each pair", parameters=PAGING, answers={200: ITEMS}, problems=(406, 503))
    async def latest_items(connector_id: str) -> Response:
        await must_exist(connector_id)
        kind = accepted_kind(request.accept_mimetypes)
        if kind != JSON:
            wanted = read_page(_arguments(), unlimited=True)
            slices = reader.latest_item_slices(connector_id, limit=wanted.limit, offset=wanted.offset)
            return await export_response(slices, kind, ITEM_COLUMNS)
        wanted = read_page(_arguments())
        rows, total = await reader.latest_items(connector_id, limit=wanted.limit, offset=wanted.offset)
        beyond = wanted.offset + wanted.limit
        more = f"{_path()}?limit={wanted.limit}&offset={beyond}" if beyond < total else None
        frame = {"total": total, "limit": wanted.limit, "offset": wanted.offset, "next": more}
        return _item_response(rows, frame)

    @routes.get("/")
    @routes.get("")
    @documented("List responses", parameters=(*RESPONSE_FILTERS, CONNECTOR), answers={200: RESPONSES}, problems=(503,))
    async def responses() -> Response:
        return await _responses(reader, read_page(_arguments()))

    @routes.get("/<connector_id>")
    @documented(
        "List the responses of a connector", parameters=RESPONSE_FILTERS, answers={200: RESPONSES}, problems=(503,)
    )
    async def responses_of_connector(connector_id: str) -> Response:
        await must_exist(connector_id)
        return await _responses(reader, read_page(_arguments(), connector_id=connector_id))

    @routes.get("/<connector_id>/latest")
    @documented(
        "The newest response of a connector",
        answers={200: Answer(ResponseRow, "It, as an object.", examples.RESPONSE)},
        problems=(503,),
    )
    async def latest_response(connector_id: str) -> Response:
        await must_exist(connector_id)
        key = await reader.latest_response_key(connector_id)
        row = None if key is None else await reader.response(key)
        if row is None:
            raise not_found(f"connector {connector_id!r} has stored no response yet")
        return json_response(row)

    return routes


def _arguments() -> dict[str, str]:
    return single_values(request.args)


def _path() -> str:
    """The path as a link may say it."""
    return quote(request.path)


async def _items(reader: Reader, **fixed: str) -> Response:
    """A page as JSON; everything as CSV, NDJSON or Parquet where that is what the client accepts."""
    arguments = _arguments() | fixed
    kind = accepted_kind(request.accept_mimetypes)
    if kind != JSON:
        wanted = read_page(arguments, unlimited=True)
        # What arrives from now on is not waited for.
        wanted = wanted if wanted.until is not None else replace(wanted, until=datetime.now(UTC))
        return await export_response(reader.item_slices(wanted), kind, ITEM_COLUMNS)
    wanted = read_page(arguments)
    page = await reader.items(wanted)
    return _item_response(page.items, _frame(page, wanted))


async def _responses(reader: Reader, wanted: Page) -> Response:
    for name in ("symbol", "exchange"):
        if getattr(wanted, name) is not None:
            raise invalid(f"query.{name}", f"a response is not of one {name}; /api/data/items can be filtered by it")
    page = await reader.response_keys(wanted)
    tail = msgspec.json.encode(_frame(page, wanted))
    return Response(_stream(reader, page.keys, tail), content_type="application/json")


def _item_response(rows: Sequence[Any], frame: dict[str, Any]) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"items":['
        for start in range(0, len(rows), SLICE_ROWS):
            # Encoded a slice at a time: ten thousand items take longer than the loop may be held.
            yield (b"," if start else b"") + msgspec.json.encode(rows[start : start + SLICE_ROWS])[1:-1]
            await trio.lowlevel.checkpoint()
        yield b"]," + msgspec.json.encode(frame)[1:]

    response = Response(pieces(), content_type=JSON)
    response.headers.add("Vary", "Accept")
    return response


async def _stream(reader: Reader, keys: Sequence[Key], tail: bytes) -> AsyncIterator[bytes]:
    yield b'{"data":['
    separator = b""
    for key in keys:
        row = await reader.response(key)
        if row is not None:
            yield separator + msgspec.json.encode(row)
            separator = b","
    yield b"]," + tail[1:]


def _frame(page: Any, wanted: Page) -> dict[str, Any]:
    frame: dict[str, Any] = {"total": page.total.rows}
    if not page.total.exact:
        frame["total_exact"] = False
    return frame | {
        "limit": wanted.limit,
        "offset": wanted.offset,
        "next": next_link(_path(), _arguments(), page.next_key),
    }
