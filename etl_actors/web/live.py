"""``/ws``: the live feed, and ``POST /ws/test``.

Several tasks serve a socket. One sends what its subscriber has for it; another one receives, and must run even where
nothing is expected: after the kernel has aborted a stuck connection a send returns at once, so a task that only sends
would spin, and it is the receiving one that learns of the end.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import trio
from quart import Blueprint, Response, websocket

from . import examples
from .access.gate import caller
from .answers import TestSent
from .bodies import read_body
from .frames import Outlet
from .live_conversation import Conversation
from .live_parameters import read_wish
from .live_wish import reach_for, subscribe_nowait, tell_position
from .openapi.documented import Answer, Body, documented
from .parameters import single_values
from .ports import Postbox, Publisher, Subscriber
from .problems import Problem, json_response

TEST_MESSAGE_BYTES = 1_048_576
# What waits for a subscriber leaves together, up to this.
AT_ONCE_BYTES = 65_536
DEFAULT_TEST_MESSAGE = {"type": "test", "data": {"message": "a test message from etl-actors"}}


def live_routes(publisher: Publisher, postbox: Postbox, *, position_seconds: float) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("live", __name__)

    @routes.websocket("/ws")
    async def live() -> None:
        wish = read_wish(single_values(websocket.args))
        reach = await reach_for(publisher, wish)
        with publisher.subscriber() as subscriber:
            subscribe_nowait(publisher, subscriber, wish, reach, quietly=reach is None)
            await websocket.accept()
            async with trio.open_nursery() as nursery:
                conversation = Conversation(publisher, postbox, subscriber, nursery, may_write=caller().may("write"))
                nursery.start_soon(_listen, conversation)
                nursery.start_soon(subscriber.follow)
                nursery.start_soon(tell_position, subscriber, position_seconds)
                await _send(subscriber)
                await websocket.close(subscriber.closing.code, subscriber.closing.reason)
                nursery.cancel_scope.cancel()

    @routes.post("/ws/test")
    @documented(
        "Send a test message to every subscriber",
        scope="write",
        body=Body(
            {"application/json": {}},
            "Any JSON, sent as it is; without a body a default message is sent.",
            required=False,
            examples={"greeting": examples.TEST_MESSAGE},
        ),
        answers={200: Answer(TestSent, "To how many it was sent.", examples.TEST_SENT)},
    )
    async def test() -> Response:
        """It goes to everybody whatever they subscribed to, and is not stored: it has no offset and is never replayed.

        A message that is to be stored is sent on `/ws` itself.
        """
        body = await read_body(TEST_MESSAGE_BYTES)
        message: Any = DEFAULT_TEST_MESSAGE | {"timestamp": datetime.now(UTC)}
        if body.strip():
            try:
                message = msgspec.Raw(body)
                msgspec.json.decode(body)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                raise Problem(400, "Not JSON", f"the body is not JSON: {error}") from None
        reached = publisher.announce_nowait(msgspec.json.encode(message))
        return json_response({"status": "sent", "subscribers": reached, "message": message})

    return routes


async def _send(subscriber: Subscriber) -> None:
    outlet = Outlet()
    while frames := await subscriber.receive_several(AT_ONCE_BYTES):
        await outlet.send([frame.text for frame in frames])
        # A send returns without ever yielding while the socket takes what it is given.
        await trio.lowlevel.checkpoint()


async def _listen(conversation: Conversation) -> None:
    """Until the client goes away."""
    while True:
        await conversation.hear(await websocket.receive())
