"""What leaves on a WebSocket, as cheaply as the same bytes for a thousand subscribers should leave.

Sent one by one, each text would be decoded for Quart, encoded again and copied four times by wsproto, and cost three
turns of the loop and a system call; for every browser, since all of them offer it, Hypercorn would compress it anew.
Here a text stays the bytes it was encoded to: a head of two to ten bytes makes a frame of it (RFC 6455, 5.2; what a
server sends is not masked), all that wait for a subscriber leave in one write, each still a message of its own, and the
loop is bothered only when the socket takes no more.

Hypercorn has no setting for any of it, so its class for a WebSocket is replaced by :class:`FrameStream`, which also
takes frames as they are; :class:`~.connection.Connection` writes them. An application sends them through the
:class:`Outlet` of its socket.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

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


class Frames(RawData):
    """Whole frames, on their way to the socket."""


class FrameStream(SocketStream):
    """A WebSocket that takes frames as they are, and does not compress."""

    async def app_send(self, message: Any) -> None:
        """Frames go out as they are while the socket is open, and are dropped after that; the rest is as before."""
        if message is None or message["type"] != _FRAMES:
            await super().app_send(message)
        elif self._is_open:
            await self.send(message["frames"])
        else:
            # Who sends in a loop must not spin until it is told.
            await trio.lowlevel.checkpoint()

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
    """Where the texts of one socket leave; it must have been accepted before."""

    def __init__(self) -> None:
        lent = (websocket.scope.get("extensions") or {}).get(_FRAMES)
        self._send = lent["send"] if lent else None

    async def send(self, texts: Sequence[bytes]) -> None:
        """Send each of ``texts`` (UTF-8) as a message of its own, all in one write.

        Waits while the socket takes nothing, and only then; who sends without end gives others a turn in between.
        """
        if self._send is None:  # another server, such as that of a test
            for text in texts:
                await websocket.send(text.decode())
            return
        parts = [part for text in texts for part in (frame_head(len(text)), text)]
        await self._send({"type": _FRAMES, "frames": Frames(data=b"".join(parts))})


def lending_frames(app: ASGIFramework) -> ASGIFramework:
    """``app``, where an :class:`Outlet` finds the way to the socket that is served."""

    async def lent(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "websocket":
            scope["extensions"][_FRAMES] = {"send": send}
        await app(scope, receive, send)

    return lent
