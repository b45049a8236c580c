"""One socket of a stream, from dialling to its end: it opens, shakes hands, and gives its frames one by one.

A line is stopped between frames: one in its hand is passed on first, however long the next rooms take. The socket is
closed at once all the same: nobody is to send what nobody reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf

import trio

from ..errors import PollFailed
from ..settings import ConnectorSettings, Heartbeat
from ..settings.streams import message_text
from .socket_handshake import shake_hands
from .socket_intake import Frame, FrameIntake
from .socket_needs import FrameRules, Socket, SocketSource
from .socket_overlap import Overlap
from .socket_pace import MessageGate

Keep = Callable[["Line", Frame], Awaitable[None]]


class Line:
    """One socket. ``opened`` is called before its first frame, ``changed`` when it is ready and when it has ended.

    ``number`` is another one for every line of a stream. ``failure`` is why it ended, once it has. ``leads`` says
    whether what it brings goes on at once. ``predecessor`` is its overlap with the line before it, ``successor`` the
    one with the line that follows.
    """

    def __init__(
        self,
        connector: ConnectorSettings,
        source: SocketSource,
        rules: FrameRules,
        intake: FrameIntake,
        *,
        admit: Callable[[], Awaitable[None]],
        opened: Callable[[], None],
        changed: Callable[[], None],
        predecessor: Overlap | None = None,
        number: int = 0,
    ) -> None:
        self._connector = connector
        self._source = source
        self._rules = rules
        self._intake = intake
        self._admit = admit
        self._opened = opened
        self._changed = changed
        self._number = number
        self.predecessor = predecessor
        self.successor: Overlap | None = None
        self.leads = predecessor is None
        self.ready_at = inf
        self.ended = False
        self.failure: PollFailed | None = None
        self.stopping = False
        self._scope = trio.CancelScope()
        self._holding = False
        self._stopped = trio.Event()

    @property
    def ready(self) -> bool:
        """Whether its handshake is done."""
        return self.ready_at < inf

    def stop(self) -> None:
        """It ends as soon as it has no frame in its hand."""
        self.stopping = True
        self._stopped.set()
        if not self._holding:
            self._scope.cancel()
        self._changed()

    async def run(self, keep: Keep) -> None:
        """Until it ends or is stopped; every frame goes to ``keep``."""
        try:
            with self._scope:
                await self._admit()
                async with self._source.open() as socket:
                    self._opened()
                    self.failure = await self._follow(socket, keep)
        except PollFailed as failure:
            self.failure = failure
        finally:
            self.ended = True
            self._changed()

    async def _follow(self, socket: Socket, keep: Keep) -> PollFailed:
        gate = MessageGate(self._connector.messages_per_second)

        async def say(text: str) -> None:
            self._let_go()
            await gate.wait()
            await socket.send(text)

        async def pass_on(frame: Frame) -> None:
            await keep(self, frame)

        async def hang_up() -> None:
            await self._stopped.wait()
            await socket.aclose()

        async with trio.open_nursery() as beside:
            beside.start_soon(hang_up)
            try:
                await shake_hands(
                    self._connector.handshake,
                    self._rules,
                    self._intake,
                    say=say,
                    listen=lambda: self._listen(socket),
                    keep=pass_on,
                )
                self.ready_at = trio.current_time()
                self._changed()
                if self._connector.heartbeat is not None:
                    beside.start_soon(_beat, self._connector.heartbeat, socket, gate)
                while True:
                    await keep(self, await self._next(socket))
            except PollFailed as error:
                failure = error
            beside.cancel_scope.cancel()
        return failure

    async def _next(self, socket: Socket) -> Frame:
        heartbeat = self._connector.heartbeat
        if heartbeat is None:
            return await self._listen(socket)
        with trio.move_on_after(heartbeat.idle_timeout_seconds):
            return await self._listen(socket)
        raise PollFailed(f"no frame came for {heartbeat.idle_timeout_seconds:g} s")

    async def _listen(self, socket: Socket) -> Frame:
        self._let_go()
        body = await socket.receive()
        self._holding = True
        return await self._intake.read(body, self._number)

    def _let_go(self) -> None:
        self._holding = False
        if self.stopping:
            self._scope.cancel()


async def _beat(heartbeat: Heartbeat, socket: Socket, gate: MessageGate) -> None:
    """Says what is to be said every now and then; that the socket is closed is told where it is read."""
    if heartbeat.every_seconds is None:
        return
    text = None if heartbeat.send is None else message_text(heartbeat.send)
    while True:
        await trio.sleep(heartbeat.every_seconds)
        try:
            if text is None:
                with trio.move_on_after(heartbeat.every_seconds):
                    await socket.ping()
            else:
                await gate.wait()
                await socket.send(text)
        except PollFailed:
            return
