"""How a WebSocket ends, where Hypercorn would leave a client without an answer.

A message that is too long was answered with 1009, and the rest of it then stood in the way of the client's own close:
each waited for the other. What is no WebSocket at all ended the connection without a code. And a client that was gone
while the application had not read all that it had said was never found gone: whoever was sending to it waited for that
to be read, and the application waited for him.
"""

from __future__ import annotations

from typing import Any

import trio
from hypercorn.protocol.events import Event, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, FrameTooLargeError, WSStream
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping
from wsproto.frame_protocol import CloseReason

TOLD_SECONDS = 30.0


class SocketStream(WSStream):
    """Every end has its code, the client's own close is always heard, and nobody waits for one who is gone."""

    async def handle(self, event: Event) -> None:
        """As Hypercorn does, except that the application is told of the end beside whoever found it."""
        if isinstance(event, StreamClosed) and self.app_put is not None:
            if not self.closed:
                self.closed = True
                ended = self.state in {ASGIWebsocketState.HTTPCLOSED, ASGIWebsocketState.CLOSED}
                code = CloseReason.NORMAL_CLOSURE if ended else CloseReason.ABNORMAL_CLOSURE
                self.task_group.spawn(self._tell_ended, code.value)
            return
        await super().handle(event)

    async def _tell_ended(self, code: int) -> None:
        # An application that has ended by itself reads no more.
        with trio.move_on_after(TOLD_SECONDS):
            assert self.app_put is not None
            await self.app_put({"type": "websocket.disconnect", "code": code})

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
