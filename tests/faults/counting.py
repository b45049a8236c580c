"""The oracle: a provider that numbers what it says, and a subscriber that notes what it hears. Neither asks the service
what it did.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import trio
from trio_websocket import ConnectionClosed, wrap_client_stream

from ..sources.stream_server import Visit

CONFIG = """
[[connectors]]
connector_id = "counted"
kind = "websocket"
source_id = "tests"
url = "{url}/counted"
[connectors.items]
single = true
coin_symbol = "symbol"
price = "n"
[connectors.items.extra]
number = "n"
"""


class Counter:
    """Says 1, 2, 3 … at a pace, to whoever listens; a new listener hears on where the one before was left."""

    def __init__(self, *, a_second: float) -> None:
        self.said = 0
        self.stopped = False
        self._pause = 1 / a_second

    def frame(self, number: int) -> dict[str, Any]:
        """How it says a number."""
        return {"symbol": "BTC", "n": number}

    async def visit(self, visit: Visit) -> None:
        """One socket."""
        await visit.accept()
        while True:
            if not self.stopped:
                await visit.say(self.frame(self.said + 1))
                self.said += 1
            await trio.sleep(self._pause)


class Listener:
    """One socket on ``/ws`` that is never left: everything it heard, in order."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.silence = 0.0
        self.closed: int | None = None

    async def listen(
        self, address: str, query: str = "", *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Until it is closed."""
        host, _, port = address.removeprefix("http://").rpartition(":")
        # The stream is ours: trio-websocket does not close it when the server was the first to close.
        async with await trio.open_tcp_stream(host, int(port)) as stream, trio.open_nursery() as nursery:
            socket = await wrap_client_stream(nursery, stream, host, "/ws" + query, max_message_size=2**24)
            task_status.started()
            try:
                while True:
                    self.heard.append(json.loads(await socket.get_message()))
            except ConnectionClosed as closed:
                self.closed = None if closed.reason is None else closed.reason.code
            nursery.cancel_scope.cancel()

    @property
    def events(self) -> list[Any]:
        """The price updates."""
        return [one for one in self.heard if one["type"] == "price_update"]

    @property
    def numbers(self) -> list[int]:
        """What it heard of the counter."""
        return [item["extra"]["number"] for one in self.events for item in one["data"]["items"]]

    def offsets(self) -> dict[str, int]:
        """The offset of each event, as it came or as it was told later."""
        told = {one["id"]: one["offset"] for one in self.events if one["offset"] is not None}
        for one in self.heard:
            if one["type"] == "stored":
                for event in one["data"]["events"]:
                    assert event["id"] not in told, "told twice, or sent with an offset already"
                    told[event["id"]] = event["offset"]
        return told

    async def watch_silence(self) -> None:
        """Note the longest time between two events in ``silence``, in seconds."""
        heard, since = len(self.heard), trio.current_time()
        while True:
            await trio.sleep(0.005)
            if len(self.heard) > heard:
                heard, since = len(self.heard), trio.current_time()
            self.silence = max(self.silence, trio.current_time() - since)

    async def until(self, holds: Callable[[], bool], seconds: float = 30) -> None:
        """Until something is so."""
        with trio.fail_after(seconds):
            while not holds():  # noqa: ASYNC110  # frames come one by one
                await trio.sleep(0.02)
