"""``GET /api/stream``: the live feed as server-sent events, for clients that only listen.

Each event is one message whose ``id`` is its offset, so that a browser which reconnects says where it was
(``Last-Event-ID``) and is sent what it missed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from types import TracebackType

import trio
from msgspec.structs import replace
from quart import Blueprint, Response, request
from quart.wrappers.response import ResponseBody

from ..errors import StorageUnavailable
from . import examples
from .access.gate import caller, session_token
from .access.lasting import Lasting
from .access.sockets import POLICY_VIOLATION
from .live_parameters import FILTERS, SINCE, read_wish
from .live_wish import Wish, reach_for, subscribe_nowait, tell_position
from .openapi.documented import Answer, documented
from .parameters import single_values
from .ports import Frame, Publisher, Reach, Subscriber

STREAM = "/api/stream"
EVENT_STREAM = "text/event-stream"
RECONNECT_MS = 1_000
_POSITION = b'{"type":"position"'


def stream_routes(publisher: Publisher, lasting: Lasting, *, position_seconds: float) -> Blueprint:
    """The route of this file."""
    routes = Blueprint("stream", __name__)

    @routes.get(STREAM)
    @documented(
        "The live feed as server-sent events",
        parameters=FILTERS,
        headers={"Last-Event-ID": "Where a client that reconnects was: as `since`, and before it."},
        answers={
            200: Answer(
                None,
                "Events without end, each as it comes on `/ws`; its `id` is the offset. Comments come in between.",
                media={EVENT_STREAM: {"type": "string", "examples": [examples.EVENT_STREAM]}},
            )
        },
        problems=(503,),
    )
    async def stream() -> Response:
        """A browser's `EventSource` reconnects by itself and goes on where it was.

        A stream that resumes begins with `subscribed`, which says whether everything since could be had
        (`recovered`). It ends when its reader is too slow for its `policy`, and with its key or its session; while
        history cannot be read, one that comes with `Last-Event-ID` ends at once and is to ask again.
        """
        wish = read_wish(single_values(request.args))
        last = request.headers.get("Last-Event-ID", "").strip()
        if last:
            wish = replace(wish, since=SINCE.number(last, place="header.Last-Event-ID"))
        if request.method == "HEAD":
            return _response(b"")
        try:
            reach = await reach_for(publisher, wish)
        except StorageUnavailable:
            if not last:
                raise
            return come_again()
        may_stay = partial(lasting.wait_ended, caller(), session_token())
        running = _running(publisher, may_stay, wish, reach, position_seconds)
        return _response(EventStream(running))

    return routes


def comes_again() -> bool:
    """Whether this is a client that had a stream and asks for the rest of it."""
    return request.path == STREAM and request.method == "GET" and bool(request.headers.get("Last-Event-ID", "").strip())


def come_again() -> Response:
    """After any answer but 200 a browser gives up for good. This one ends at once, and the browser asks again."""
    return _response(b": history cannot be read now\nretry: %d\n\n" % RECONNECT_MS)


def _response(body: ResponseBody | bytes) -> Response:
    response = Response(body, content_type=EVENT_STREAM)
    # A proxy that gathers what it passes on would hold events back.
    response.headers["X-Accel-Buffering"] = "no"
    return response


class EventStream(ResponseBody):
    """A body without end: a context, in which the tasks run that keep it moving."""

    def __init__(self, running: AbstractAsyncContextManager[AsyncIterator[bytes]]) -> None:
        self._running = running

    async def __aenter__(self) -> AsyncIterator[bytes]:
        return await self._running.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.__aexit__(kind, error, trace)


@asynccontextmanager
async def _running(
    publisher: Publisher,
    may_stay: Callable[[], Awaitable[str]],
    wish: Wish,
    reach: Reach | None,
    position_seconds: float,
) -> AsyncGenerator[AsyncIterator[bytes], None]:
    with publisher.subscriber() as subscriber:
        subscribe_nowait(publisher, subscriber, wish, reach, quietly=reach is None)
        # A browser that loses the line before its first event must know where it was, too.
        subscriber.tell_position_nowait()
        pieces = _Pieces(subscriber)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscriber.follow)
            nursery.start_soon(tell_position, subscriber, position_seconds)
            nursery.start_soon(_end_in_time, may_stay, pieces)
            yield pieces
            nursery.cancel_scope.cancel()


async def _end_in_time(may_stay: Callable[[], Awaitable[str]], pieces: _Pieces) -> None:
    pieces.end_nowait(await may_stay())


class _Pieces:
    """What a subscriber is given, as text of an event stream. The first piece comes at once: it sends the headers."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._begun = self._ended = False

    def end_nowait(self, reason: str) -> None:
        """Nothing leaves any more, not even what waits."""
        self._ended = True
        self._subscriber.close_nowait(POLICY_VIOLATION, reason)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._begun:
            self._begun = True
            return b"retry: %d\n\n" % RECONNECT_MS
        # A send to an aborted connection returns without ever yielding.
        await trio.lowlevel.checkpoint()
        frame = await self._subscriber.receive()
        if frame is None or self._ended:
            raise StopAsyncIteration
        return as_message(frame)


def as_message(frame: Frame) -> bytes:
    """A frame as a message of an event stream. A position is a comment, and moves the ``id`` all the same."""
    place = b"" if frame.offset is None else b"id: %d\n" % frame.offset
    if frame.offset is not None and frame.text.startswith(_POSITION):
        return b": position\n" + place + b"\n"
    # A provider's JSON may hold line ends.
    return place + b"".join(b"data: " + line + b"\n" for line in frame.text.splitlines()) + b"\n"
