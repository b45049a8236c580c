"""Answers that break the rules: written to the socket byte by byte, past any HTTP library that would prevent it.

Every one of them ends with the connection; none of them keeps more than a megabyte in memory, whatever it makes the
client inflate or read. They end by themselves when the client goes away.
"""

from __future__ import annotations

import socket
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing

import trio

from etl_actors.sandbox.faults import Fault
from etl_actors.sandbox.messages import HTML, JSON, Answer
from etl_actors.sandbox.refusals import blocked_page

_BLOCK = b" " * 1_048_576  # spaces are valid JSON between tokens, so only the size is wrong
_GARBAGE = bytes(range(256)) * 8
STATUS_SENT = {"stall": 0, "reset": 0}  # every other kind sends a head with 200


async def misbehave(stream: trio.SocketStream, fault: Fault, true: Answer) -> None:
    """Answers with this fault instead of the true answer, then leaves the connection useless."""
    match fault.kind:
        case "stall":
            await _until_gone(stream)
        case "slow":
            await _trickle(stream, true, fault.every_ms / 1000)
        case "cut":
            await _cut(stream, true.body.raw)
        case "garbage":
            await stream.send_all(head(JSON, len(_GARBAGE)) + _GARBAGE)
        case "html":
            page = blocked_page("the upstream").encode()
            await stream.send_all(head(HTML, len(page)) + page)
        case "gzip_bomb":
            await _stream(stream, _bomb(fault.megabytes), "Content-Encoding: gzip\r\n")
        case "huge":
            await _stream(stream, _endless(), "")
        case "reset":
            reset(stream)


def head(content_type: str, length: int) -> bytes:
    """The head of an answer with status 200 and a fixed length."""
    text = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n"
    return (text + "Connection: close\r\n\r\n").encode()


def reset(stream: trio.SocketStream) -> None:
    """Closes so that the client sees a connection reset instead of an end."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


async def _until_gone(stream: trio.SocketStream) -> None:
    while await stream.receive_some(4096):
        pass


async def _trickle(stream: trio.SocketStream, true: Answer, pause: float) -> None:
    await stream.send_all(head(true.content_type, len(true.body.raw)))
    for place in range(len(true.body.raw)):
        await trio.sleep(pause)
        await stream.send_all(true.body.raw[place : place + 1])


async def _cut(stream: trio.SocketStream, body: bytes) -> None:
    await stream.send_all(head(JSON, max(2, len(body))) + body[: len(body) // 2])


async def _stream(stream: trio.SocketStream, chunks: AsyncIterator[bytes], encoding: str) -> None:
    opening = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\n{encoding}Transfer-Encoding: chunked\r\n\r\n"
    await stream.send_all(opening.encode())
    async with aclosing(chunks) as pieces:  # type: ignore[type-var]  # both sources are generators, which can be closed
        async for piece in pieces:
            await stream.send_all(b"%x\r\n%b\r\n" % (len(piece), piece))
    await stream.send_all(b"0\r\n\r\n")


async def _endless() -> AsyncIterator[bytes]:
    yield b"["
    while True:
        yield _BLOCK[:65_536]
        await trio.lowlevel.checkpoint()


async def _bomb(megabytes: int) -> AsyncIterator[bytes]:
    """A valid gzip of a JSON list of spaces. The block is compressed once: after a full flush it repeats as it is."""
    squeeze = zlib.compressobj(9, wbits=-15)
    opening = squeeze.compress(b"[") + squeeze.flush(zlib.Z_FULL_FLUSH)
    block = squeeze.compress(_BLOCK) + squeeze.flush(zlib.Z_FULL_FLUSH)
    closing = squeeze.compress(b"]") + squeeze.flush()
    yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + opening
    checksum = zlib.crc32(b"[")
    for _ in range(megabytes):
        checksum = zlib.crc32(_BLOCK, checksum)
        yield block
        await trio.lowlevel.checkpoint()
    length = 2 + megabytes * len(_BLOCK)
    yield closing + struct.pack("<II", zlib.crc32(b"]", checksum), length & 0xFFFFFFFF)
