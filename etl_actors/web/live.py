"""``/ws``: every event to everyone who listens, and ``POST /ws/test``.

Two tasks serve a socket. The sender waits for the subscription; the other one receives, and must run even where
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
from .answers import TestSent
from .bodies import read_body
from .openapi.documented import Answer, Body, documented
from .ports import Publisher, Subscription
from .problems import Problem, json_response

TEST_MESSAGE_BYTES = 1_048_576
DEFAULT_TEST_MESSAGE = {"type": "test", "data": {"message": "a test message from etl-actors"}}


def live_routes(publisher: Publisher, *, position_seconds: float) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("live", __name__)

    @routes.websocket("/ws")
    async def live() -> None:
        await websocket.accept()
        with publisher.subscribe() as subscription:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_answer)
                nursery.start_soon(_tell_position, publisher, subscription, position_seconds)
                await _send(subscription)
                await websocket.close(subscription.closing.code, subscription.closing.reason)
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
        body = await read_body(TEST_MESSAGE_BYTES)
        message: Any = DEFAULT_TEST_MESSAGE | {"timestamp": datetime.now(UTC)}
        if body.strip():
            try:
                message = msgspec.Raw(body)
                msgspec.json.decode(body)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                raise Problem(400, "Not JSON", f"the body is not JSON: {error}") from None
        reached = publisher.publish_nowait(msgspec.json.encode(message))
        return json_response({"status": "sent", "subscribers": reached, "message": message})

    return routes


async def _send(subscription: Subscription) -> None:
    async for frame in subscription:
        await websocket.send(frame.decode())
        # A send to an aborted connection returns without ever yielding.
        await trio.lowlevel.checkpoint()


async def _tell_position(publisher: Publisher, subscription: Subscription, position_seconds: float) -> None:
    """Behind what waits already: a client that is told an offset has been sent everything up to it."""
    while True:
        await trio.sleep(position_seconds)
        if publisher.head is not None:
            subscription.offer_nowait(msgspec.json.encode({"type": "position", "offset": publisher.head}))


async def _answer() -> None:
    """Until the client goes away: answer what it says."""
    while True:
        message = await websocket.receive()
        await websocket.send(_text(_reply(message)))


def _reply(message: str | bytes) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return _error(None, "Not JSON", f"a message must be a JSON object: {error}")
    if not isinstance(said, dict):
        return _error(None, "Not an object", "a message must be a JSON object")
    if said.get("op") == "ping":
        return {"type": "pong", "id": said.get("id")}
    return _error(said.get("id"), "Not understood", 'this service understands {"op": "ping"}')


def _error(request_id: Any, title: str, detail: str) -> dict[str, Any]:
    return {"type": "error", "id": request_id, "data": {"title": title, "detail": detail}}


def _text(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()
