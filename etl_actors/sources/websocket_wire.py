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
_CLOSE = b"\x88"  # how a close frame begins
# Frame headers, pings, and the answer to the handshake.
_BESIDE_BYTES = 262_144
# Far more than anybody needs; each costs as much time as a frame. What is read of a large one counts as a fragment too,
# so only small ones are meant.
MAX_FRAGMENTS = 10_000
_SMALL_BYTES = 256
# Where a message comes in more than a few, what is read at once holds no more than some hundred.
_FEW_FRAGMENTS, _LITTLE_BYTES = 100, 1_024


class Wire(trio.abc.Stream):
    """Wraps ``stream``. ``overflowed`` is set when one message became longer than ``max_bytes``, ``splintered`` when it
    came in more than ``MAX_FRAGMENTS`` small ones: it then ends. ``unfinished()`` tells how many came of the message
    that is not whole, and their size; ``said_close`` whether a close frame left: trio-websocket answers that of a
    provider, and sends none when it finds what came to be wrong.
    """

    def __init__(self, stream: trio.abc.Stream, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes + _BESIDE_BYTES
        self._beginning = b""
        self._since_message = 0
        self.received = 0
        self.overflowed = self.splintered = self.said_close = False
        self.unfinished: Callable[[], tuple[int, int]] = lambda: (0, 0)

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
        if self._splintered(_FEW_FRAGMENTS):
            max_bytes = _LITTLE_BYTES
        data = bytes(await self._stream.receive_some(max_bytes))
        if len(self._beginning) < _STATUS_BYTES:
            self._beginning += data[:_STATUS_BYTES]
        self.received += len(data)
        self._since_message += len(data)
        if self._splintered(MAX_FRAGMENTS):
            self.splintered = True
            return b""
        if self._since_message > self._max_bytes:
            self.overflowed = True
            return b""
        return data

    def _splintered(self, most: int) -> bool:
        fragments, size = self.unfinished()
        return fragments > most and size < fragments * _SMALL_BYTES

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends; when nobody takes it, the reading end will tell.

        Whoever closes after its last frames may have left us some to read. trio-websocket gives up reading when a pong
        cannot be sent, and they would be lost.
        """
        self.said_close = self.said_close or bytes(data[:1]) == _CLOSE
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
