"""What leaves on a WebSocket, as cheaply as the same bytes for a thousand subscribers should leave.

Sent one by one, each text would be decoded for Quart, encoded again and copied four times by wsproto, and cost three
turns of the loop and a system call; for every browser, since all of them offer it, Hypercorn would compress it anew.
Here a text stays the bytes it was encoded to: a head of two to ten bytes makes a frame of it (RFC 6455, 5.2; what a
server sends is not masked), all that wait for a subscriber leave in one write, each still a message of its own, and the
loop is bothered only when the socket takes no more.

Hypercorn has no setting for any of it, so its class for a WebSocket is replaced by :class:`FrameStream`, whose bytes go
to the :class:`~.connection.Connection` below it without a detour. An application sends them through the
:class:`Outlet` of its socket.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Protocol

import trio
from hypercorn.events import RawData
from hypercorn.protocol.ws_stream import ASGIWebsocketState
from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, Scope, WebsocketAcceptEvent
from quart import websocket
from wsproto.connection import ConnectionState

from .socket_stream import SocketStream

_FRAMES = "etl_actors.frames"
_FINAL_TEXT = 0x81
_SHORT, _MEDIUM = 126, 65_536


def frame_head(length: int) -> bytes:
    """The head of a frame that holds a whole text of so many bytes."""
    if length < _SHORT:
        return struct.pack("!BB", _FINAL_TEXT, length)
    if length < _MEDIUM:
        return struct.pack("!BBH", _FINAL_TEXT, 126, length)
    return struct.pack("!BBQ", _FINAL_TEXT, 127, length)


class Line(Protocol):
    """A connection: what ``write_nowait`` cannot write at once leaves before anything that is sent later."""

    @property
    def is_clogged(self) -> bool: ...
    def write_nowait(self, data: bytes) -> None: ...
    async def protocol_send(self, event: RawData) -> None: ...


class FrameStream(SocketStream):
    """A WebSocket that takes frames as they are, and does not compress."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # Hypercorn's parts know who is below them by a bound method alone: the protocol, and below it the connection.
        self._line: Line = self.send.__self__.send.__self__  # type: ignore[attr-defined]  # see above

    @property
    def is_clogged(self) -> bool:
        """Whether the socket has not taken everything, and still may."""
        return self._is_open and self._line.is_clogged

    def write_nowait(self, frames: bytes) -> None:
        """Write whole frames, as far as that is possible at once. Nothing leaves once it is closed."""
        if self._is_open:
            self._line.write_nowait(frames)

    async def wait_taken(self) -> None:
        """Until the socket has taken everything, or is closed."""
        await self._line.protocol_send(RawData(data=b""))

    @property
    def _is_open(self) -> bool:
        return (
            not self.closed
            and self.state is ASGIWebsocketState.CONNECTED
            and self.connection.state is ConnectionState.OPEN
        )

    async def _accept(self, message: WebsocketAcceptEvent) -> None:
        self.handshake.extensions = None  # as if nothing had been offered
        await super()._accept(message)


class Outlet:
    """Where the texts of one socket leave, in their order; it must have been accepted before.

    ``is_clogged``: the socket has not taken all of it, which the next :meth:`send` waits for.
    """

    def __init__(self) -> None:
        extensions: dict[str, Any] = websocket.scope["extensions"]
        self._stream: FrameStream = extensions[_FRAMES]

    @property
    def is_clogged(self) -> bool:
        """Whether the socket has not taken everything."""
        return self._stream.is_clogged

    def send_nowait(self, texts: Sequence[bytes]) -> None:
        """Send each of ``texts`` (UTF-8) as a message of its own, all in one write, as far as the socket takes them."""
        self._stream.write_nowait(framed(texts))

    async def send(self, texts: Sequence[bytes]) -> None:
        """The same, to the end. Who sends without end gives others a turn here, even where the socket is closed."""
        self.send_nowait(texts)
        if self._stream.is_clogged:
            await self._stream.wait_taken()
        await trio.lowlevel.checkpoint()


def framed(texts: Sequence[bytes]) -> bytes:
    """Each text with its head."""
    return b"".join([part for text in texts for part in (frame_head(len(text)), text)])


def lending_frames(app: ASGIFramework) -> ASGIFramework:
    """``app``, where an :class:`Outlet` finds the stream that is served."""

    async def lent(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "websocket":
            scope["extensions"][_FRAMES] = send.__self__  # type: ignore[attr-defined]  # a method of the FrameStream
        await app(scope, receive, send)

    return lent
