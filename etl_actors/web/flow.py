"""Request bodies that arrive no faster than they are read.

Quart's connection has a task that takes whatever Hypercorn hands over and appends it to the request's body; while a
view is slow, a fast client fills the memory. Here that task waits while more than ``UNREAD_BYTES`` are unread.
Hypercorn then waits with its next hand-over, reads no more from its socket, and TCP tells the client to wait.

Two more things that only this place can see: a body that grows beyond its limit is an error as soon as it does, however
much of it was read already; and a view that answers before it has read all keeps the connection open for a moment,
so that a client that is still sending gets to read the answer and not a reset.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent
from quart.wrappers.request import Request
from quart_trio import QuartTrio
from quart_trio.asgi import TrioASGIHTTPConnection
from quart_trio.wrappers.request import TrioBody, TrioRequest
from werkzeug.exceptions import RequestEntityTooLarge

UNREAD_BYTES = 262_144
LINGER_SECONDS = 5.0


class MeteredBody(TrioBody):
    """A body that knows how much of it is unread and how much came in all."""

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        super().__init__(expected_content_length, max_content_length)
        if self._must_raise is not None:
            self._must_raise = _too_long(max_content_length)
        self._limit = max_content_length
        self._received = 0
        self._open = False  # whether whatever comes is taken at once: the whole is wanted, or nothing any more
        self._unwanted = False
        self._room = trio.Event()

    async def wait_room(self) -> None:
        """Until little enough is unread, or none of that matters."""
        while len(self._data) > UNREAD_BYTES and not self._open:
            self._room = trio.Event()
            await self._room.wait()

    def append(self, data: bytes) -> None:
        """What Hypercorn hands over."""
        self._received += len(data)
        if self._limit is not None and self._received > self._limit and self._must_raise is None:
            self._must_raise = _too_long(self._limit)
            self._data.clear()
            self._has_data.set()
        if not self._unwanted:
            super().append(data)

    async def __anext__(self) -> bytes:
        piece = b""
        while not piece:
            try:
                piece = await super().__anext__()
            except StopAsyncIteration:
                if self._must_raise is not None:
                    raise self._must_raise from None  # too long, though complete
                raise
            if self._must_raise is not None:
                raise self._must_raise
            self._room.set()
        return piece

    def __await__(self) -> Generator[Any, None, Any]:
        self._lift()
        return super().__await__()

    async def drain(self) -> None:
        """Take the rest and forget it, until all is there."""
        self._unwanted = True
        self._data.clear()
        self._lift()
        await self._complete.wait()

    @property
    def is_complete(self) -> bool:
        """Whether everything was received."""
        return self._complete.is_set()

    def _lift(self) -> None:
        self._open = True
        self._room.set()


class MeteredRequest(TrioRequest):
    """A request with such a body."""

    body_class = MeteredBody
    body: MeteredBody


class PatientConnection(TrioASGIHTTPConnection):
    """A connection that takes a body as it is read, and gives clients time to read an early answer."""

    async def handle_messages(  # type: ignore[override]  # as the class above does to the one above it
        self, nursery: trio.Nursery, request: Request, receive: ASGIReceiveCallable
    ) -> None:
        async def receive_when_wanted() -> Any:
            await request.body.wait_room()  # type: ignore[attr-defined]  # a MeteredBody
            return await receive()

        await super().handle_messages(nursery, request, receive_when_wanted)

    async def handle_request(  # type: ignore[override]  # see handle_messages
        self, nursery: trio.Nursery, request: Request, send: ASGISendCallable
    ) -> None:
        async def send_patiently(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                await _linger(request.body)  # type: ignore[arg-type]  # see above
            await send(message)

        await super().handle_request(nursery, request, send_patiently)


def install_flow_control(app: QuartTrio) -> None:
    """Let every request of ``app`` arrive so."""
    app.request_class = MeteredRequest
    app.asgi_http_class = PatientConnection


def _too_long(limit: int | None) -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"a body may be {limit or 0:,} bytes long at most ([server] max_body_bytes)")


async def _linger(body: MeteredBody) -> None:
    if not body.is_complete:
        with trio.move_on_after(LINGER_SECONDS):
            await body.drain()
