"""One WebSocket's frames, where Hypercorn and wsproto would leave a client without an answer.

A ping between the pieces of a compressed message made wsproto forget that it was compressed. A message that is too long
was answered with 1009 and the rest of it then stood in the way of the client's own close, so that each waited for the
other. And what is no WebSocket at all ended the connection without a code.
"""

from __future__ import annotations

import zlib
from typing import Any

from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.ws_stream import FrameTooLargeError, WSStream
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

MAX_MESSAGE_BYTES = 1_048_576


class Deflate(PerMessageDeflate):
    """Compression that knows what it was about after a ping, and that nobody can blow up memory with."""

    def __init__(self) -> None:
        super().__init__()
        self._interrupted: bool | None = None
        self._in_control_frame = False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        """A frame begins."""
        self._in_control_frame = opcode.iscontrol()
        self._interrupted = self._inbound_compressed
        return super().frame_inbound_header(proto, opcode, rsv, payload_length)

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes | CloseReason:
        """Some of it came in: a few bytes may be many."""
        if self._in_control_frame or not self._inbound_compressed:
            return data
        assert self._decompressor is not None
        try:
            text: bytes = self._decompressor.decompress(bytes(data), MAX_MESSAGE_BYTES)
        except zlib.error:
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        return CloseReason.MESSAGE_TOO_BIG if self._decompressor.unconsumed_tail else text

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> bytes | CloseReason | None:
        """It ends; a control frame is no part of the message it came into."""
        rest = super().frame_inbound_complete(proto, fin)
        if self._in_control_frame:
            self._inbound_compressed = self._interrupted
        return rest


class SocketStream(WSStream):
    """Every end has its code, and the client's own close is always heard."""

    async def _handle_events(self) -> None:
        for event in self.connection.events():
            if isinstance(event, Message):
                await self._take(event)
            elif isinstance(event, Ping):
                await self._send_wsproto_event(event.response())
            elif isinstance(event, CloseConnection):
                if self.connection.state is ConnectionState.REMOTE_CLOSING:
                    await self._send_wsproto_event(event.response())
                elif self.connection.state is ConnectionState.OPEN:
                    # Nobody has closed anything: this is how wsproto tells of what it could not read.
                    await self._send_wsproto_event(CloseConnection(code=event.code))
                await self.send(StreamClosed(stream_id=self.stream_id))

    async def _take(self, piece: Message[Any]) -> None:
        if self.connection.state is not ConnectionState.OPEN:
            return  # too late, or the rest of what was too long
        try:
            self.buffer.extend(piece)
        except FrameTooLargeError:
            self.buffer.clear()
            await self._send_wsproto_event(CloseConnection(code=CloseReason.MESSAGE_TOO_BIG))
            return
        if piece.message_finished:
            assert self.app_put is not None
            await self.app_put(self.buffer.to_message())
            self.buffer.clear()
