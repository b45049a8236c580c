"""Streams in memory for the tests of socket connectors: one script a socket, in virtual time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from etl_actors.errors import PollFailed

Script = Callable[["Far"], Awaitable[None]]
BROKE = "the connection broke off"


class Far:
    """The provider's end of one socket, which is its own near end too."""

    def __init__(self) -> None:
        self.opened_at = trio.current_time()
        self.closed_at: float | None = None
        self.taken: list[bytes] = []
        self.pings = 0
        self.hung_up_at: float | None = None
        self._frames_send, self._frames = trio.open_memory_channel[bytes](1)
        self._messages_send, self._messages = trio.open_memory_channel[str](100)
        self.said_at: list[float] = []
        self.reason = BROKE

    async def say(self, *frames: Any) -> None:
        """Frames: bytes as they are, anything else as JSON."""
        for frame in frames:
            await self._frames_send.send(frame if isinstance(frame, bytes) else json.dumps(frame).encode())

    async def hear(self) -> Any:
        """The next message of the connector."""
        text = await self._messages.receive()
        try:
            return json.loads(text)
        except ValueError:
            return text

    def end(self, reason: str = BROKE) -> None:
        """No more frames."""
        self.reason = reason
        self._frames_send.close()

    # What the connector has.

    async def receive(self) -> bytes:
        try:
            frame = await self._frames.receive()
        except trio.EndOfChannel:
            raise PollFailed(self.reason) from None
        self.taken.append(frame)
        return frame

    async def send(self, text: str) -> None:
        self.said_at.append(trio.current_time())
        self._messages_send.send_nowait(text)
        await trio.lowlevel.checkpoint()

    async def ping(self) -> None:
        self.pings += 1
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        self.hung_up_at = trio.current_time()
        await trio.lowlevel.checkpoint()


class ScriptedStream:
    """A source that plays the next script for every socket, then the last one for ever; a failure does not open."""

    def __init__(self, *scripts: Script | PollFailed) -> None:
        self._scripts = list(scripts)
        self.sockets: list[Far] = []
        self.tried_at: list[float] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Far]:
        """The next socket."""
        self.tried_at.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        if isinstance(script, PollFailed):
            raise script
        far = Far()
        self.sockets.append(far)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_play, script, far)
            try:
                yield far
            finally:
                far.closed_at = trio.current_time()
                nursery.cancel_scope.cancel()


async def _play(script: Script, far: Far) -> None:
    await script(far)
    far.end(far.reason)


def saying(*frames: Any, then: float = float("inf")) -> Script:
    """Says these, stays for ``then`` seconds, and breaks off."""

    async def script(far: Far) -> None:
        await far.say(*frames)
        await trio.sleep(then)

    return script
