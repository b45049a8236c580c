"""Rows to export, and a place to export them from: a served application, asked over a socket."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import trio
from quart import Response, request
from quart_trio import QuartTrio

from etl_actors.errors import StorageUnavailable
from etl_actors.web.export import accepted_kind, export_response
from etl_actors.web.export import slices as slices_of_an_export
from etl_actors.web.listener import address_of, open_listener
from etl_actors.web.problems import install_problem_handlers
from etl_actors.web.server import serve_app
from etl_actors.wire import ItemRow

COLUMNS = ItemRow.__struct_fields__


def row(row_id: int = 1, price: str | msgspec.Raw | None = "95000.50", **others: Any) -> ItemRow:
    """An item."""
    values: dict[str, Any] = dict.fromkeys(COLUMNS) | {
        "id": row_id,
        "connector_id": "one",
        "api_name": "One",
        "coin_symbol": "BTC",
        "price": msgspec.Raw(price.encode()) if isinstance(price, str) else price,
        "timestamp": "2025-12-08T16:00:00.123456Z",
        "response_time_ms": 145,
    }
    return ItemRow(**(values | others))


class Slices:
    """Slices of rows that know whether somebody closed them, each ``slow`` seconds in coming; ``fails_after`` so many,
    the database is away."""

    def __init__(self, slices: Iterable[Sequence[ItemRow]], *, fails_after: int | None = None, slow: float = 0) -> None:
        self._slices = slices
        self._fails_after = fails_after
        self._slow = slow
        self.closed = trio.Event()
        self.given = 0

    async def each(self) -> AsyncGenerator[Sequence[ItemRow], None]:
        """The slices."""
        try:
            for some in self._slices:
                if self.given == self._fails_after:
                    raise StorageUnavailable("the database went away")
                self.given += 1
                await trio.sleep(self._slow)
                yield some
        finally:
            self.closed.set()


async def begun(slices: Slices) -> slices_of_an_export.Slices:
    """As an export gets them."""
    return await slices_of_an_export.Slices.begin(slices.each())


@asynccontextmanager
async def exporting(slices: Slices) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application whose ``/`` is the export of ``slices``."""
    app = QuartTrio(__name__)
    app.config["RESPONSE_TIMEOUT"] = None  # as the service has it
    install_problem_handlers(app)

    @app.get("/")
    async def export() -> Response:
        return await export_response(slices.each(), accepted_kind(request.accept_mimetypes), COLUMNS)

    listener = open_listener("127.0.0.1", 0, stuck_seconds=60)
    address = address_of(listener)
    ended = trio.Event()
    async with trio.open_nursery() as nursery:

        async def serve(*, task_status: trio.TaskStatus[None]) -> None:
            await serve_app(app, listener, shutdown=ended.wait, grace_seconds=1, task_status=task_status)

        await nursery.start(serve)
        async with httpx.AsyncClient(base_url=address, timeout=10) as client:
            yield client
        ended.set()


async def exported(slices: Slices, kind: str) -> bytes:
    """The whole export as ``kind``."""
    async with exporting(slices) as client:
        response = await client.get("/", headers={"Accept": kind})
        assert response.status_code == 200
        return response.content
