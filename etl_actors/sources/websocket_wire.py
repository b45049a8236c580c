"""The bytes beneath a WebSocket: what trio-websocket reads and writes, bounded and watched.

trio-websocket bounds a message by its characters. Here the bytes since the last whole message are counted, so that
neither a message in a million empty fragments nor an endless answer to the handshake can grow.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import trio

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})\b")
_STATUS_BYTES = 16
# Frame headers, pings, and the answer to the handshake.
_BESIDE_BYTES = 262_144
# Far more than anybody needs; each costs as much time as a frame.
MAX_FRAGMENTS = 10_000


class Wire(trio.abc.Stream):
    """Wraps ``stream``. ``overflowed`` is set when one message became longer than ``max_bytes``, ``splintered`` when it
    came in more than ``MAX_FRAGMENTS``: it then ends. ``fragments()`` tells in how many the one came that is not whole.
    """

    def __init__(self, stream: trio.abc.Stream, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes + _BESIDE_BYTES
        self._beginning = b""
        self._since_message = 0
        self.received = 0
        self.overflowed = self.splintered = False
        self.fragments: Callable[[], int] = lambda: 0

    @property
    def status(self) -> int | None:
        """The status that the answer to the handshake began with."""
        found = _STATUS.match(self._beginning)
        return int(found[1]) if found else None

    def message_over(self) -> None:
        """A message was read whole: the count begins anew."""
        self._since_message = 0

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The next bytes; none at the end."""
        data = bytes(await self._stream.receive_some(max_bytes))
        if len(self._beginning) < _STATUS_BYTES:
            self._beginning += data[:_STATUS_BYTES]
        self.received += len(data)
        self._since_message += len(data)
        if self.fragments() > MAX_FRAGMENTS:
            self.splintered = True
            return b""
        if self._since_message > self._max_bytes:
            self.overflowed = True
            return b""
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends; when nobody takes it, the reading end will tell.

        Whoever closes after its last frames may have left us some to read. trio-websocket gives up reading when a pong
        cannot be sent, and they would be lost.
        """
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError:
            await trio.lowlevel.checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream beneath."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Closes the stream beneath."""
        await self._stream.aclose()
