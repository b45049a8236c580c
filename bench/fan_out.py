"""What does a frame cost on the way to a subscriber? The same texts to N sockets, through the stack in several ways.

Each way of sending runs in a process of its own, whose processor time is divided by the frames it sent; the clients
(plain sockets that read and discard) are another process. Limits in the same run: the same bytes written by trio to
bare sockets, a write a frame and a write for all that wait, and `broadcast` of the `websockets` library.

    python bench/fan_out.py [SUBSCRIBERS EVENTS BYTES]
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import trio
import websockets.asyncio.server
from hypercorn.protocol.ws_stream import WSStream
from quart import websocket
from quart_trio import QuartTrio

sys.path.insert(0, str(Path(__file__).parents[1]))

from etl_actors.web import connection
from etl_actors.web.access.sockets import Socket
from etl_actors.web.frames import Outlet, frame_head
from etl_actors.web.listener import open_listener
from etl_actors.web.server import serve_app

PAUSE_SECONDS = 0.01
MOST_AT_ONCE = 65_536
UPGRADE = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
Send = Callable[[Sequence[bytes]], Awaitable[None]]


class Feed:
    """What waits for one subscriber."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.arrived = trio.Event()
        self.sent = 0
        self.outlet: Outlet | None = None

    def flush(self) -> None:
        """Write all that waits from here, as the broadcaster does; a socket that takes no more would get it later."""
        if self.outlet is not None and self.waiting and not self.outlet.is_clogged:
            self.outlet.send_nowait(list(self.waiting))
            self.sent += len(self.waiting)
            self.waiting.clear()

    def put(self, text: bytes) -> None:
        self.waiting.append(text)
        self.arrived.set()

    async def pump(self, send: Send, *, joined: bool) -> None:
        """Send what comes, one text at a time or all that waits."""
        while True:
            await self.arrived.wait()
            self.arrived = trio.Event()
            while self.waiting:
                texts = [self.waiting.popleft()]
                size = len(texts[0])
                while joined and self.waiting and size < MOST_AT_ONCE:
                    texts.append(self.waiting.popleft())
                    size += len(texts[-1])
                await send(texts)
                self.sent += len(texts)


class Feeds:
    """Every subscriber."""

    def __init__(self, many: int) -> None:
        self.many = many
        self.feeds: list[Feed] = []

    def join(self) -> Feed:
        feed = Feed()
        self.feeds.append(feed)
        return feed

    async def measure(self, texts: Sequence[bytes], burst: int) -> None:
        """Publish all of them, so many at a time, and wait until they are sent; processor and wall time a frame."""
        while len(self.feeds) < self.many:  # noqa: ASYNC110  # an event would be part of what is measured
            await trio.sleep(0.01)
        await trio.sleep(0.2)
        processor, wall = time.process_time(), time.perf_counter()
        for start in range(0, len(texts), burst):
            for text in texts[start : start + burst]:
                for feed in self.feeds:
                    feed.put(text)
            for feed in self.feeds:
                feed.flush()
            await trio.sleep(PAUSE_SECONDS)
        while any(feed.sent < len(texts) for feed in self.feeds):  # noqa: ASYNC110  # see above
            await trio.sleep(0.005)
        return cost(processor, wall, self.many * len(texts))


def cost(processor: float, wall: float, frames: int) -> None:
    """Say what a frame took, in microseconds, since these times; and end without waiting for anybody."""
    figures = [(time.process_time() - processor) / frames * 1e6, (time.perf_counter() - wall) / frames * 1e6]
    print(json.dumps(figures), flush=True)
    os._exit(0)


async def through_quart(
    feeds: Feeds, port: socket.socket, *, joined: bool, ours: bool, deflate: bool, direct: bool = False
) -> None:
    """Quart, Hypercorn and wsproto; ``ours`` with the frames of web/frames.py, ``direct`` without waking a task."""
    app = QuartTrio("etl_actors", static_folder=None)
    app.websocket_class = Socket
    if deflate:
        connection.FrameStream = WSStream  # type: ignore[attr-defined,misc,assignment]  # as Hypercorn is by itself

    async def send(texts: Sequence[bytes]) -> None:
        for text in texts:
            await websocket.send(text.decode())
            await trio.lowlevel.checkpoint()

    @app.websocket("/ws")
    async def live() -> None:
        await websocket.accept()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(websocket.receive)
            if direct:
                feeds.join().outlet = Outlet()
                await trio.sleep_forever()
            await feeds.join().pump(Outlet().send if ours else send, joined=joined)

    await serve_app(app, port, shutdown=trio.sleep_forever, grace_seconds=0)


async def through_trio(feeds: Feeds, port: socket.socket, *, joined: bool) -> None:
    """A bare socket."""

    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some(4096)
        await stream.send_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")

        async def send(texts: Sequence[bytes]) -> None:
            await stream.send_all(b"".join(part for text in texts for part in (frame_head(len(text)), text)))

        await feeds.join().pump(send, joined=joined)

    port.listen(1024)
    await trio.serve_listeners(serve, [trio.SocketListener(trio.socket.from_stdlib_socket(port))])


async def through_websockets(port: socket.socket, texts: Sequence[bytes], many: int, burst: int) -> None:
    """The broadcast of the `websockets` library, on asyncio."""

    async def hold(client: websockets.asyncio.server.ServerConnection) -> None:
        await client.wait_closed()

    async with websockets.asyncio.server.serve(hold, sock=port, compression=None, ping_interval=None) as server:
        while len(server.connections) < many:  # noqa: ASYNC110  # the library tells nobody
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        processor, wall = time.process_time(), time.perf_counter()
        for start in range(0, len(texts), burst):
            for text in texts[start : start + burst]:
                websockets.asyncio.server.broadcast(server.connections, text.decode())
            await asyncio.sleep(PAUSE_SECONDS)
        return cost(processor, wall, many * len(texts))


WAYS: dict[str, Callable[..., Awaitable[None]] | None] = {
    "trio, bare sockets, a write a frame": partial(through_trio, joined=False),
    "trio, bare sockets, one write for all that wait": partial(through_trio, joined=True),
    "websockets.broadcast": None,
    "Quart as it is, deflate offered and negotiated": partial(through_quart, joined=False, ours=False, deflate=True),
    "Quart as it is, no deflate": partial(through_quart, joined=False, ours=False, deflate=False),
    "web/frames.py, a write a frame": partial(through_quart, joined=False, ours=True, deflate=False),
    "web/frames.py, one write for all that wait": partial(through_quart, joined=True, ours=True, deflate=False),
    "web/frames.py, written by whoever publishes": partial(
        through_quart, joined=True, ours=True, deflate=False, direct=True
    ),
}


def serve(way: str, many: int, events: int, size: int, burst: int) -> None:
    """One way, in this process; prints its port, then its figures."""
    texts = [made_up_text(number, size) for number in range(events)]
    port = open_listener("127.0.0.1", 0, stuck_seconds=60)
    port.listen(1024)
    print(port.getsockname()[1], flush=True)
    chosen = WAYS[way]
    if chosen is None:
        asyncio.run(through_websockets(port, texts, many, burst))
        return

    async def run() -> None:
        feeds = Feeds(many)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(chosen, feeds, port)
            await feeds.measure(texts, burst)

    trio.run(run)


def made_up_text(number: int, size: int) -> bytes:
    """An event of about so many bytes that compresses as one does."""
    items = []
    while sum(map(len, items)) < size - 150:
        price = (number * 7919 + len(items) * 104_729) % 9_999_991
        items.append(f'{{"id":{number * 100 + len(items)},"coin_symbol":"C{len(items)}","price":{price / 100}}}')
    head = f'{{"type":"price_update","connector_id":"one","offset":{number},"data":{{"items":['
    return (head + ",".join(items) + ']},"timestamp":"2025-12-08T16:00:00Z"}').encode()


def read_and_discard(port: int, many: int, ended: Callable[[], bool], *, offer: bool) -> None:
    """So many clients."""
    selector = selectors.DefaultSelector()
    clients = []
    for _ in range(many):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall((UPGRADE + (OFFER if offer else "") + "\r\n").encode())
        client.setblocking(False)
        selector.register(client, selectors.EVENT_READ)
        clients.append(client)
    while not ended():
        for key, _ in selector.select(0.1):
            with contextlib.suppress(OSError):
                if not key.fileobj.recv(262_144):  # type: ignore[union-attr]  # these are sockets
                    selector.unregister(key.fileobj)
    for client in clients:
        client.close()


def main(many: int, events: int, size: int) -> None:
    """Every way, with events that come singly and in bursts."""
    print(f"{many} subscribers, {events} events of {size} bytes; processor time of the server, and wall time, a frame")
    for burst in (1, 25):
        print(f"\n{burst} event{'s' if burst > 1 else ''} at a time:")
        for way in WAYS:
            arguments = [sys.executable, __file__, "--serve", way, *map(str, (many, events, size, burst))]
            with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as server:
                assert server.stdout is not None
                port = int(server.stdout.readline())
                read_and_discard(port, many, lambda: server.poll() is not None, offer="deflate offered" in way)
                processor, wall = json.loads(server.stdout.read())
            print(f"  {way:50} {processor:7.1f} us {wall:7.1f} us", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], *map(int, sys.argv[3:7]))
    else:
        main(*map(int, sys.argv[1:4] or (200, 200, 400)))
