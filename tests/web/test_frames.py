"""What leaves on a WebSocket is what any client expects, however it was written."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import websockets.exceptions
import websockets.sync.client
from hypothesis import given
from hypothesis import strategies as st
from quart import websocket
from quart_trio import QuartTrio
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import TextMessage
from wsproto.frame_protocol import Opcode

from etl_actors.web.frames import Outlet, frame_head
from etl_actors.web.listener import open_listener
from etl_actors.web.server import serve_app

SIZES = (0, 1, 125, 126, 127, 65_535, 65_536, 70_000)
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
View = Callable[[], Awaitable[None]]


@asynccontextmanager
async def serving(view: View) -> AsyncIterator[str]:
    """The address of a socket that is served by ``view``, as the service serves its own."""
    app = QuartTrio("etl_actors", static_folder=None)
    app.websocket("/ws")(view)
    listener = open_listener("127.0.0.1", 0, stuck_seconds=60)
    port, stop = listener.getsockname()[1], trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_app, app, listener, shutdown=stop.wait, grace_seconds=1))
        yield f"ws://127.0.0.1:{port}/ws"
        stop.set()


async def spoken_to(address: str, many: int) -> list[str | bytes]:
    """What a foreign client, which offers compression, is sent."""

    def talk() -> list[str | bytes]:
        with websockets.sync.client.connect(address, compression="deflate", max_size=None) as client:
            assert "Sec-WebSocket-Extensions" not in client.response.headers  # type: ignore[union-attr]
            return [client.recv(timeout=10) for _ in range(many)]

    return await trio.to_thread.run_sync(talk)


@given(st.one_of(st.sampled_from(SIZES), st.integers(0, 200_000)))
def test_a_head_is_what_the_protocol_library_writes(size: int) -> None:
    """Of whatever size."""
    text = "x" * size
    assert frame_head(size) + text.encode() == Connection(ConnectionType.SERVER).send(TextMessage(data=text))
    assert frame_head(size)[0] & 0x0F == Opcode.TEXT


async def test_texts_that_leave_together_arrive_as_messages_of_their_own() -> None:
    """In order, as text, uncompressed although the client would take it compressed."""
    texts = [(f"{size}:" + "ü" * (size // 2)).encode() for size in SIZES]

    async def view() -> None:
        await websocket.accept()
        outlet = Outlet()
        await outlet.send(texts)
        await outlet.send([])
        await outlet.send([b"the last"])
        await websocket.receive()

    async with serving(view) as address:
        received = await spoken_to(address, len(texts) + 1)
    assert received == [*(text.decode() for text in texts), "the last"]


async def test_frames_of_ours_and_of_the_library_do_not_mix() -> None:
    """Pongs and texts of the ordinary way between ours, to a client that reads in between and lets them pile up."""
    many, big = 300, b"x" * 50_000

    async def view() -> None:
        await websocket.accept()
        outlet = Outlet()

        async def echo() -> None:
            while True:
                await websocket.send("echo " + str(await websocket.receive()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo)
            for number in range(many):
                await outlet.send([f"{number} ".encode() + big])
                await trio.lowlevel.checkpoint()
            await trio.sleep_forever()

    def talk(address: str) -> list[str]:
        with websockets.sync.client.connect(address, max_size=None) as client:
            pongs = []
            for number in range(20):
                pongs.append(client.ping())
                client.send(str(number))
            received = [str(client.recv(timeout=10)) for _ in range(many + 20)]
            assert all(pong.wait(10) for pong in pongs)
            return received

    async with serving(view) as address:
        received = await trio.to_thread.run_sync(talk, address)
    echoes = [text for text in received if text.startswith("echo")]
    ours = [text for text in received if not text.startswith("echo")]
    assert echoes == [f"echo {number}" for number in range(20)]
    assert ours == [f"{number} {big.decode()}" for number in range(many)]


async def test_a_client_that_reads_nothing_holds_up_its_sender_only() -> None:
    """What does not fit waits; everything comes once it reads, and another client never noticed."""
    many, big, waiting = 200, b"y" * 20_000, trio.Event()

    async def view() -> None:
        await websocket.accept()
        outlet = Outlet()
        if websocket.query_string:
            await outlet.send([b"here"])
        else:
            for number in range(many):
                with trio.move_on_after(0.5) as patience:
                    await trio.lowlevel.checkpoint()
                assert not patience.cancelled_caught
                await outlet.send([str(number).encode() + big])
            waiting.set()
        await websocket.receive()

    async with serving(view) as address:
        host, port = address.removeprefix("ws://").removesuffix("/ws").split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(UPGRADE)
            await trio.sleep(0.3)
            assert not waiting.is_set()
            assert await spoken_to(address + "?other", 1) == ["here"]
            data = await trio.to_thread.run_sync(_read, slow, many * (len(big) + 4))
    _, _, frames = data.partition(b"\r\n\r\n")
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(frames)
    texts: list[str] = []
    parts = ""
    for event in client.events():
        assert isinstance(event, TextMessage)
        parts += event.data
        if event.message_finished:
            texts.append(parts)
            parts = ""
    assert texts == [str(number) + big.decode() for number in range(many)]


def _read(client: socket.socket, at_least: int) -> bytes:
    client.settimeout(1)
    data = b""
    try:
        while len(data) < at_least * 2:
            more = client.recv(65_536)
            if not more:
                break
            data += more
    except TimeoutError:
        pass
    return data


async def test_what_was_not_taken_at_once_leaves_before_what_follows() -> None:
    """To a client that begins to read when more waits for it than a socket takes."""
    big, many, clogged = b"z" * 50_000, 0, trio.Event()

    async def view() -> None:
        nonlocal many
        await websocket.accept()
        outlet = Outlet()
        while not outlet.is_clogged:
            outlet.send_nowait([f"{many} ".encode() + big])
            many += 1
        outlet.send_nowait([f"{many} ".encode() + big])
        many += 1
        clogged.set()
        await outlet.send([b"the last"])
        assert not outlet.is_clogged
        await websocket.receive()

    def talk(address: str) -> list[str | bytes]:
        with websockets.sync.client.connect(address, max_size=None, max_queue=1) as client:
            trio.from_thread.run(clogged.wait)
            return [client.recv(timeout=10) for _ in range(many + 1)]

    async with serving(view) as address:
        received = await trio.to_thread.run_sync(talk, address)
    assert received == [*(f"{number} {big.decode()}" for number in range(many)), "the last"]


@pytest.mark.parametrize("closes", [False, True])
async def test_what_was_not_taken_at_once_leaves_before_pongs_and_closing_frames(closes: bool) -> None:
    """A frame that is half in the socket is finished first, whoever else has something to say."""
    many, clogged, asked = 0, trio.Event(), trio.Event()

    async def view() -> None:
        nonlocal many
        await websocket.accept()
        outlet = Outlet()
        while not outlet.is_clogged:
            outlet.send_nowait([f"{many} ".encode() + b"w" * 7_000])
            many += 1
        clogged.set()
        await asked.wait()
        if closes:
            await websocket.close(4001, "enough")
        else:
            assert await websocket.receive() == "there?"
            await outlet.send([b"the last"])
            await websocket.receive()

    def talk(address: str) -> tuple[list[str], int | None]:
        with websockets.sync.client.connect(address, max_size=None, max_queue=1) as client:
            trio.from_thread.run(clogged.wait)
            pong = None
            if not closes:
                pong = client.ping()
                client.send("there?")
            trio.from_thread.run(trio.sleep, 0.2)
            trio.from_thread.run_sync(asked.set)
            received = [str(client.recv(timeout=10)) for _ in range(many + (not closes))]
            if pong is not None:
                assert pong.wait(10)
                return received, None
            with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
                client.recv(timeout=10)
            return received, closed.value.rcvd.code if closed.value.rcvd else None

    async with serving(view) as address:
        received, code = await trio.to_thread.run_sync(talk, address)
    expected = [f"{number} {'w' * 7_000}" for number in range(many)]
    assert received == (expected if closes else [*expected, "the last"])
    assert code == (4001 if closes else None)


async def test_a_client_that_goes_while_much_is_unread_is_found_gone() -> None:
    """It talked more than is read, read nothing, and went: the application is told, although it waits to send."""
    ended = trio.Event()

    async def view() -> None:
        await websocket.accept()
        outlet, sent = Outlet(), trio.Event()

        async def listen() -> None:
            await websocket.receive()
            await sent.wait()
            while True:
                await websocket.receive()

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listen)
                for _ in range(100):
                    await outlet.send([b"v" * 100_000])
                sent.set()
        finally:
            ended.set()

    async with serving(view) as address:
        host, port = address.removeprefix("ws://").removesuffix("/ws").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(UPGRADE)
            await trio.to_thread.run_sync(client.recv, 100)
            frame = struct.pack("!BBH", 0x81, 0xFE, 270) + bytes(4) + b"u" * 270
            await trio.to_thread.run_sync(client.sendall, frame * 60)
            await trio.sleep(0.3)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with trio.fail_after(10):
            await ended.wait()


async def test_nothing_comes_behind_a_closing_frame() -> None:
    """What is sent after it is dropped, without an error."""

    async def view() -> None:
        await websocket.accept()
        outlet = Outlet()
        await outlet.send([b"first"])
        await websocket.close(4000, "enough")
        for _ in range(1_000):
            await outlet.send([b"too late"])

    def talk(address: str) -> int | None:
        with websockets.sync.client.connect(address) as client:
            assert client.recv(timeout=10) == "first"
            with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
                client.recv(timeout=10)
            return closed.value.rcvd.code if closed.value.rcvd else None

    async with serving(view) as address:
        assert await trio.to_thread.run_sync(talk, address) == 4000


async def test_sending_to_a_client_that_is_gone_ends() -> None:
    """The sender is told by being cancelled; until then it does not keep others from their turn."""
    done = trio.Event()

    async def view() -> None:
        await websocket.accept()
        outlet = Outlet()
        try:
            while True:
                await outlet.send([b"z" * 1_000])
        finally:
            done.set()

    async with serving(view) as address:
        host, port = address.removeprefix("ws://").removesuffix("/ws").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(UPGRADE)
            await trio.to_thread.run_sync(client.recv, 100)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with trio.fail_after(10):
            await done.wait()
