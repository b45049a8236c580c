"""Providers that mean harm, in a process of their own: ``python tests/child.py tests.faults.hostile`` prints its port.

The path of a request names what is done with it. Whatever is endless ends when the client goes away; nobody is sent
anything that was not asked for.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from functools import cache, partial

import trio

from etl_actors.sandbox.misbehaviour import reset

Script = Callable[[trio.SocketStream, bytes], Awaitable[None]]

BLOCK = b" " * 65_536  # valid between the tokens of JSON
GOOD = b'[{"s": "AABB", "p": 1}]'


def plain(body: bytes, *headers: str, status: str = "200 OK", length: bool = True) -> bytes:
    """An answer with these headers."""
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] if length else [])]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def saying(data: bytes) -> Script:
    """These bytes, and the end."""

    async def script(stream: trio.SocketStream, head: bytes) -> None:
        await stream.send_all(data)

    return script


def for_ever(first: bytes, then: Callable[[], bytes], pause: float = 0.0) -> Script:
    """``first``, and then more and more."""

    async def script(stream: trio.SocketStream, head: bytes) -> None:
        await stream.send_all(first)
        while True:
            await stream.send_all(then())
            await trio.sleep(pause)

    return script


def resetting(first: bytes) -> Script:
    """``first``, and a reset."""

    async def script(stream: trio.SocketStream, head: bytes) -> None:
        await stream.send_all(first)
        await trio.sleep(0.05)
        reset(stream)

    return script


def bomb(window: int) -> Callable[[], bytes]:
    """More and more of a body that becomes a thousand times as large."""
    packing = zlib.compressobj(9, zlib.DEFLATED, window)
    return lambda: chunk(packing.compress(bytes(4_000_000)) + packing.flush(zlib.Z_SYNC_FLUSH))


def bombing(window: int, encoding: str) -> Script:
    """A bomb of its own for each request."""

    async def script(stream: trio.SocketStream, head: bytes) -> None:
        headers = plain(b"", f"Content-Encoding: {encoding}", "Transfer-Encoding: chunked", length=False)
        await for_ever(headers, bomb(window))(stream, head)

    return script


def after_handshake(script: Script) -> Script:
    """A WebSocket, in which ``script`` does as it likes."""

    async def opened(stream: trio.SocketStream, head: bytes) -> None:
        found = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
        key = b"" if found is None else found[1]
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324  # as RFC 6455 has it
        accept = f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}"
        headers = ("Upgrade: websocket", "Connection: Upgrade", accept)
        await stream.send_all(plain(b"", *headers, status="101 Switching Protocols", length=False))
        await script(stream, head)

    return opened


async def dense(stream: trio.SocketStream, head: bytes) -> None:
    """As large as an answer may be, valid, and a gigabyte once it is decoded."""
    await stream.send_all(plain(b"[", f"Content-Length: {len(DENSE) * DENSE_TIMES + 4}", length=False))
    for _ in range(DENSE_TIMES):
        await stream.send_all(DENSE)
    await stream.send_all(b"[]]")


@cache
def dense_packed() -> bytes:
    """The same in some tens of kilobytes."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = (b"[", *(DENSE for _ in range(DENSE_TIMES)), b"[]]")
    return plain(b"".join(map(packing.compress, pieces)) + packing.flush(), "Content-Encoding: gzip")


async def dense_bomb(stream: trio.SocketStream, head: bytes) -> None:
    """So little to send, and so much to hold."""
    await stream.send_all(await trio.to_thread.run_sync(dense_packed))


class Stamper:
    """Means no harm: says when it was asked, and how often before."""

    def __init__(self) -> None:
        self._asked = 0

    async def __call__(self, stream: trio.SocketStream, head: bytes) -> None:
        self._asked += 1
        await stream.send_all(plain(b'[{"s": "AABB", "p": %d, "t": %f}]' % (self._asked, time.time())))


async def silent(stream: trio.SocketStream, head: bytes) -> None:
    """Says nothing, and answers no ping."""
    while await stream.receive_some():
        pass


CHUNKED = plain(b"", "Transfer-Encoding: chunked", length=False)
MANY = "\r\n".join(f"X-{number}: {number}" for number in range(100_000))
DEEP = b"[" * 50_000 + b"]" * 50_000
DENSE, DENSE_TIMES = b"[]," * 20_000, 1_000  # in memory each of these lists takes twenty times its text
DIGITS = b'[{"s": "AABB", "p": ' + b"7" * 10_000 + b"}]"


def too_many(retry_after: str) -> Script:
    """A refusal that asks for a strange wait."""
    return saying(plain(b"{}", f"Retry-After: {retry_after}", status="429 Too Many Requests"))


OVER_HTTP: dict[str, Script] = {
    "endless": for_ever(CHUNKED, lambda: chunk(BLOCK)),
    "endless_without_length": for_ever(plain(b"", length=False), lambda: BLOCK),
    "ten_gigabytes": for_ever(plain(b"", "Content-Length: 10000000000", length=False), lambda: BLOCK),
    "slow_head": for_ever(b"HTTP/1.1 200 OK\r\nX: ", lambda: b"x", 0.3),
    "slow_body": for_ever(plain(b"[", "Content-Length: 100000", length=False), lambda: b" ", 0.3),
    "length_too_long": saying(plain(GOOD, "Content-Length: 100000", length=False)),
    "length_too_short": saying(plain(GOOD, "Content-Length: 5", length=False)),
    "length_no_number": saying(plain(GOOD, "Content-Length: many", length=False)),
    "two_lengths": saying(plain(GOOD, "Content-Length: 5")),
    "length_and_chunked": saying(plain(chunk(GOOD) + chunk(b""), "Transfer-Encoding: chunked", "Content-Length: 5",
                                       length=False)),
    "redirects": saying(plain(b"", "Location: /redirects", status="302 Found")),
    "giant_header": for_ever(b"HTTP/1.1 200 OK\r\nX: ", lambda: b"x" * 65_536),
    "many_headers": saying(plain(GOOD, MANY)),
    "informational": for_ever(b"", lambda: b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 100),
    "gzip_bomb": bombing(31, "gzip"),
    "deflate_bomb": bombing(15, "deflate"),
    "bad_chunks": saying(CHUNKED + b"zz\r\n" + GOOD),
    "endless_chunk_extension": for_ever(CHUNKED + b"5;", lambda: b"x" * 65_536),
    "tiny_chunks": for_ever(CHUNKED, lambda: b"1\r\n \r\n" * 1000),
    "reset_at_once": resetting(b""),
    "reset_in_head": resetting(b"HTTP/1.1 200 OK\r\nContent-"),
    "reset_in_body": resetting(plain(b"[", "Content-Length: 1000", length=False)),
    "garbage": saying(bytes(range(256)) * 100),
    "retry_before": too_many("-1"),
    "retry_never": too_many("1000000000"),
    "retry_nan": too_many("nan"),
    "retry_in_9999": too_many("Fri, 31 Dec 9999 23:59:59 GMT"),
    "deep": saying(plain(DEEP)),
    "digits": saying(plain(DIGITS)),
}  # fmt: skip

OVER_SOCKETS: dict[str, Script] = {
    "giant_frame_announced": after_handshake(for_ever(b"\x81\x7f" + (2**30).to_bytes(8, "big"), lambda: b"", 0.5)),
    "giant_frame": after_handshake(for_ever(b"\x81\x7f" + (2**30).to_bytes(8, "big"), lambda: BLOCK)),
    "endless_fragments": after_handshake(for_ever(b"\x01\x01[", lambda: b"\x00\x01 " * 1000)),
    "empty_fragments": after_handshake(for_ever(b"\x01\x01[", lambda: b"\x00\x00" * 1000)),
    "no_utf8": after_handshake(saying(b"\x81\x02\xff\xfe")),
    "compressed_unasked": after_handshake(saying(b"\xc1\x05" + b"\xf2\x48\xcd\xc9\xc9")),
    "masked": after_handshake(saying(b"\x81\x81\x00\x00\x00\x001")),
    "pings": after_handshake(for_ever(b"", lambda: b"\x89\x7d" + bytes(125))),
    "no_pong": after_handshake(silent),
    "close_storm": after_handshake(saying(b"\x88\x02\x03\xe8")),
    "gone_at_once": saying(b""),
    "no_handshake": saying(bytes(range(256)) * 100),
    "wrong_accept": saying(plain(b"", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: x",
                                 status="101 Switching Protocols", length=False)),
    "giant_handshake": for_ever(b"HTTP/1.1 101 Switching Protocols\r\nX: ", lambda: b"x" * 65_536),
}  # fmt: skip

# Valid, and just as large as an answer may be.
LARGE: dict[str, Script] = {"dense": dense, "dense_bomb": dense_bomb}

SCRIPTS = OVER_HTTP | OVER_SOCKETS | LARGE | {"stamped": Stamper()}


async def serve(stream: trio.SocketStream) -> None:
    """One connection: one request, and what is done with it."""
    async with stream:
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                data = await stream.receive_some()
                if not data:
                    return
                head += data
            name = head.split(b" ")[1].decode().lstrip("/").partition("?")[0]
            await SCRIPTS.get(name, saying(plain(GOOD)))(stream, head)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


async def main() -> None:
    """Until its standard input ends."""

    def lines() -> Iterator[str]:
        yield from sys.stdin

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        sys.stdout.write(f"{listeners[0].socket.getsockname()[1]}\n")
        sys.stdout.flush()
        await trio.to_thread.run_sync(lambda: list(lines()))
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
