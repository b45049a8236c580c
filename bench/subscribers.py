"""Does every subscriber get what it asked for, whatever the others do? A service, four streams, and many sockets.

A provider sends numbered frames over four streams, all 50 symbols in each or fewer in turn. A tenth of the subscribers
never reads; the others have all kinds of filters and policies and check what they get: every number of every stream
they asked for, once, in order, with just the symbols they asked for. With RESTLESS, so many of them are cut off at
random all the time, come back with `since`, and must have missed nothing either. Provider, service and subscribers are
processes of their own.

    python bench/subscribers.py [SUBSCRIBERS SECONDS ITEMS_PER_SECOND RESTLESS ITEMS_A_FRAME]
"""

from __future__ import annotations

import json
import os
import random
import selectors
import shutil
import socket
import struct
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.postgres import reachable_folder
from tests.service.running import RunningService, running

STREAMS = ("one", "two", "three", "four")
SYMBOLS = tuple(f"S{number:02}" for number in range(50))
SETTLING_SECONDS = 30.0
CONFIG = """
[[connectors]]
connector_id = "{name}"
kind = "websocket"
source_id = "bench"
url = "{url}/{name}"
[connectors.items]
each = "data"
coin_symbol = "s"
price = "p"
[connectors.items.extra]
number = "n"
sent = "t"
"""


# The provider.


async def provide(seconds: float, items_per_second: float, items: int) -> None:
    """Serve the streams; frames begin with a line on standard input, and their count is printed at the end."""
    begin, ended = trio.Event(), 0
    frames = int(seconds * items_per_second / items / len(STREAMS))
    pause = seconds / frames

    async def visit(request: WebSocketRequest) -> None:
        nonlocal ended
        connection = await request.accept()
        await begin.wait()
        start = trio.current_time() + STREAMS.index(request.path[1:]) * pause / len(STREAMS)
        try:
            for number in range(1, frames + 1):
                await trio.sleep_until(start + number * pause)
                await connection.send_message(frame_text(number, items))
            ended += 1
            await trio.sleep_forever()
        except ConnectionClosed:
            print("a stream was left", file=sys.stderr)

    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve_websocket, visit, "127.0.0.1", 0, None)
        print(server.port, flush=True)
        await trio.to_thread.run_sync(sys.stdin.readline)
        begin.set()
        while ended < len(STREAMS):  # noqa: ASYNC110  # a benchmark's provider may look now and then
            await trio.sleep(0.1)
        print(frames, flush=True)


def frame_text(number: int, items: int) -> str:
    """One frame, each of its symbols with the frame's number."""
    now = time.time()
    data = [{"s": symbol, "p": f"{number}.{symbol[1:]}", "n": number, "t": now} for symbol in symbols_of(number, items)]
    return json.dumps({"data": data})


def symbols_of(number: int, items: int) -> list[str]:
    """Which symbols a frame has."""
    return [SYMBOLS[(number * items + place) % len(SYMBOLS)] for place in range(items)]


# The subscribers.


class Extra(msgspec.Struct):
    """What our mapping keeps beside an item."""

    number: int
    sent: float


class Item(msgspec.Struct):
    """What is looked at of an item."""

    coin_symbol: str
    extra: Extra


class Data(msgspec.Struct):
    """What is looked at of an event's data."""

    items: list[Item] = []
    recovered: bool = True


class Said(msgspec.Struct):
    """What is looked at of whatever the service says."""

    type: str
    connector_id: str = ""
    offset: int | None = None
    recovered: bool = True
    data: msgspec.Raw = msgspec.Raw(b"{}")
    events: list[msgspec.Raw] = []


READ_SAID, READ_DATA = msgspec.json.Decoder(Said), msgspec.json.Decoder(Data)


@dataclass(slots=True)
class Client:
    """One subscriber: what it asks for, and what it makes of what it gets."""

    query: str
    streams: frozenset[str]
    symbols: list[set[str]]  # of each frame, by its number modulo how many there are until they come again
    reads: bool = True
    restless: bool = False
    socket: socket.socket | None = None
    buffer: bytearray = field(default_factory=bytearray)
    upgraded: bool = False
    numbers: dict[str, int] = field(default_factory=dict)
    offset: int = 0
    faults: list[str] = field(default_factory=list)
    events: int = 0
    leaves: int = 0

    def connect(self, port: int) -> socket.socket:
        """Open a socket; one that was there before goes on where it was."""
        since = f"&since={self.offset}" if self.leaves else ""
        opened = socket.create_connection(("127.0.0.1", port))
        opened.sendall(
            f"GET /ws?{self.query}{since} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        opened.setblocking(False)
        self.buffer.clear()
        self.upgraded = False
        self.socket = opened
        return opened

    def next_of(self, stream: str) -> int:
        """The number of the next frame of a stream that it is to get."""
        number = self.numbers.get(stream, 0) + 1
        while not self.symbols[number % len(self.symbols)]:
            number += 1
        return number

    def has_all(self, frames: int) -> bool:
        """Whether it got everything of so many frames of each stream."""
        return all(self.next_of(stream) > frames for stream in self.streams)

    def cut(self) -> None:
        """Break the connection off with a reset, whatever is under way."""
        assert self.socket is not None
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        self.leaves += 1

    def hear(self, data: bytes, lags: array[float]) -> None:
        """Some bytes came."""
        self.buffer += data
        if not self.upgraded:
            head, found, rest = bytes(self.buffer).partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.faults.append(head.partition(b"\r\n")[0].decode())
            self.upgraded, self.buffer = True, bytearray(rest)
        for kind, text in self._frames():
            if kind == 8:
                self.faults.append(f"closed: {int.from_bytes(text[:2], 'big')} {text[2:].decode()}")
            elif kind == 1:
                self._told(text, lags)

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        at, buffer = 0, self.buffer
        while len(buffer) - at >= 2:
            length, head = buffer[at + 1], 2
            if length >= 126:
                head = 4 if length == 126 else 10
                length = int.from_bytes(buffer[at + 2 : at + head], "big") if len(buffer) - at >= head else 2**62
            if len(buffer) - at < head + length:
                break
            yield buffer[at] & 15, bytes(buffer[at + head : at + head + length])
            at += head + length
        del buffer[:at]

    def _told(self, text: bytes, lags: array[float]) -> None:
        said = READ_SAID.decode(text)
        match said.type:
            case "batch":
                for event in said.events:
                    self._told(bytes(event), lags)
            case "price_update":
                self._event(said, READ_DATA.decode(said.data), lags)
            case "dropped" | "error":
                self.faults.append(text[:200].decode())
            case "subscribed" if not said.recovered:
                self.faults.append("history does not reach back")

    def _event(self, said: Said, data: Data, lags: array[float]) -> None:
        number = self.next_of(said.connector_id)
        wanted = self.symbols[number % len(self.symbols)]
        symbols = [item.coin_symbol for item in data.items]
        if said.connector_id not in self.streams:
            self.faults.append(f"{said.connector_id} was not asked for")
        elif {item.extra.number for item in data.items} != {number}:
            self.faults.append(f"{said.connector_id}: {data.items[0].extra.number} where {number} was due")
        elif len(symbols) != len(wanted) or not wanted.issuperset(symbols):
            self.faults.append(f"{said.connector_id} {number}: other symbols than those asked for")
        elif said.offset is None or said.offset <= self.offset:
            self.faults.append(f"offset {said.offset} behind {self.offset}")
        self.numbers[said.connector_id] = data.items[0].extra.number
        self.offset = said.offset or self.offset
        self.events += 1
        if not self.leaves:
            lags.append(time.time() - data.items[0].extra.sent)


def made_clients(many: int, restless: int, items: int) -> list[Client]:
    """Subscribers of ten kinds; the tenth kind never reads."""
    chance, every = random.Random(7), frozenset(STREAMS)
    frames = [set(symbols_of(number, items)) for number in range(len(SYMBOLS))]
    clients = []
    for number in range(many):
        policy = ("disconnect", "conflate", "drop_oldest")[number % 3]
        kind = number % 10
        streams = every if kind in (0, 3, 4, 7, 9) else frozenset([chance.choice(STREAMS)])
        wanted = {3: 1, 5: 1, 4: 5, 7: 5, 8: 2}.get(kind)
        symbols = frozenset(SYMBOLS if wanted is None else chance.sample(SYMBOLS, wanted))
        query = f"policy={policy}&types=price_update&connectors={','.join(streams)}"
        query += f"&symbols={','.join(symbols)}" if wanted else ""
        query += "&batch=true&interval_ms=200" if kind in (6, 8) else ""
        reads, comes_and_goes = kind != 9, kind != 9 and number < restless
        clients.append(Client(query, streams, [one & symbols for one in frames], reads, comes_and_goes))
    return clients


def listen(port: int, many: int, restless: int, items: int) -> None:
    """Be all of them; say when they are there, and how it went when a line on standard input told how many came."""
    clients, lags, chance = made_clients(many, restless, items), array("d"), random.Random(11)
    selector, leaving = selectors.DefaultSelector(), {}
    for client in clients:
        opened = client.connect(port)
        if client.reads:
            selector.register(opened, selectors.EVENT_READ, client)
        if client.restless:
            leaving[id(client)] = (time.monotonic() + chance.uniform(2, 6), client)
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    told, due, give_up = False, 2**62, float("inf")
    readers = [client for client in clients if client.reads]
    while time.monotonic() < give_up:
        for key, _ in selector.select(0.05):
            if key.data is None:
                line = sys.stdin.readline()
                due, give_up = int(line), time.monotonic() + SETTLING_SECONDS
                leaving.clear()
                selector.unregister(sys.stdin)
            elif not _received(key.data, lags):
                selector.unregister(key.data.socket)
        if not told and all(client.upgraded for client in readers):
            told = True
            print("ready", flush=True)
        for moment, client in list(leaving.values()):
            if time.monotonic() >= moment and told and client.socket.fileno() in selector.get_map():
                selector.unregister(client.socket)
                client.cut()
                selector.register(client.connect(port), selectors.EVENT_READ, client)
                leaving[id(client)] = (time.monotonic() + chance.expovariate(1 / 3), client)
        if due < 2**62 and all(client.faults or client.has_all(due) for client in readers):
            break
    for client in readers:
        if not client.faults and not client.has_all(due):
            client.faults.append(f"it has {client.numbers} of {due}")
    faults = [f"{client.query}: {fault}" for client in readers for fault in client.faults]
    ordered = sorted(lags)
    print(
        json.dumps(
            {
                "readers": len(readers),
                "events": sum(client.events for client in readers),
                "leaves": sum(client.leaves for client in readers),
                "whole": sum(not client.faults for client in readers),
                "faults": faults[:10],
                "lags": [ordered[int((len(ordered) - 1) * share)] for share in (0.5, 0.99, 0.999, 1)],
            }
        ),
        flush=True,
    )


def _received(client: Client, lags: array[float]) -> bool:
    assert client.socket is not None
    try:
        data = client.socket.recv(262_144)
    except OSError as error:
        client.faults.append(str(error))
        return False
    if not data:
        client.faults.append("the connection was closed")
        return False
    client.hear(data, lags)
    return True


# The service, and what is said of it.


def ask(process: subprocess.Popen[str], line: str = "") -> str:
    """Tell a process something, and hear what it says."""
    assert process.stdin is not None
    assert process.stdout is not None
    if line:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    return process.stdout.readline().strip()


def used(pid: int) -> tuple[float, float]:
    """Seconds of processor time so far, and megabytes at the most so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(peak.split()[1]) / 1024


def started(*arguments: object) -> subprocess.Popen[str]:
    """Another role of this file, as a process."""
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def measure(many: int, seconds: float, items_per_second: float, restless: int, items: int) -> bool:
    """One run, and whether everybody got everything."""
    folder = reachable_folder()
    try:
        with started("--provide", seconds, items_per_second, items) as provider:
            port = ask(provider)
            (folder / "config" / "connectors").mkdir(parents=True)
            streams = "".join(CONFIG.format(name=name, url=f"ws://127.0.0.1:{port}") for name in STREAMS)
            (folder / "config" / "connectors" / "bench.toml").write_text(streams, encoding="utf-8")
            (folder / "config" / "service.toml").write_text("", encoding="utf-8")
            try:
                async with running(folder / "config", folder / "data") as service:
                    return await _listened(service, provider, many, restless, items)
            finally:
                provider.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _listened(
    service: RunningService, provider: subprocess.Popen[str], many: int, restless: int, items: int
) -> bool:
    port = httpx.URL(service.address).port
    for name in STREAMS:
        await service.until(f"/api/connectors/{name}/status", lambda status: status["connected_since"])
    with started("--listen", port, many, restless, items) as listener:
        assert await trio.to_thread.run_sync(ask, listener) == "ready"
        await trio.sleep(1)
        processor, idle = used(service.process.pid)
        frames = await trio.to_thread.run_sync(ask, provider, "begin")
        result = json.loads(await trio.to_thread.run_sync(ask, listener, frames))
        spent, peak = used(service.process.pid)
        subscribers = (await service.get("/api/status"))["subscribers"]
    lags = [f"{lag * 1000:.0f}" for lag in result["lags"]]
    print(f"{result['readers']} readers of {many}, {restless} of them cut off {result['leaves']} times in all")
    print(f"{frames} frames of {items} items from each of {len(STREAMS)} streams; {result['events']:,} events read")
    print(f"got all they asked for, once, in order: {result['whole']} of {result['readers']}")
    print(f"from the provider to a reader: p50 {lags[0]}, p99 {lags[1]}, p99.9 {lags[2]}, worst {lags[3]} ms")
    print(
        f"the service: {spent - processor:.1f} s of processor, {peak:.0f} MB at most,"
        f" {idle:.0f} MB before the first frame"
    )
    print(f"its subscribers at the end: {subscribers}")
    for fault in result["faults"]:
        print(f"  {fault}")
    exit_code = await service.stop()
    print(f"stopped with {exit_code}")
    return result["whole"] == result["readers"] and exit_code == 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--provide", *numbers]:
            trio.run(provide, *map(int, numbers))
        case ["--listen", *numbers]:
            listen(*map(int, numbers))
        case numbers:
            given = [*map(int, numbers), *(1_000, 120, 2_000, 0, len(SYMBOLS))[len(numbers) :]]
            sys.exit(0 if trio.run(measure, *given) else 1)
