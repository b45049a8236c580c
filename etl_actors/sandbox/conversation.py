"""A WebSocket conversation: what a session has to say, sent over one socket by the rules of its provider.

Frames leave once a tick. Faults befall them here: some are lost or garbled, a connection falls silent, hangs up or is
closed. Whatever the client does wrong ends the conversation, never the sandbox.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, Message, Ping, Pong, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from etl_actors.sandbox.clock import TICKS_PER_SECOND, Clock
from etl_actors.sandbox.faults import OF_CONNECTIONS, OF_FRAMES, Fault, FaultBoard
from etl_actors.sandbox.journal import MOST_HEARD, SeenRequest
from etl_actors.sandbox.messages import Request
from etl_actors.sandbox.misbehaviour import reset
from etl_actors.sandbox.streams import Rules, Session
from etl_actors.sandbox.switches import Switches

_RECEIVE = 65_536
_FAREWELL_SECONDS = 1.0
_LONGEST_MESSAGE = 1_048_576
_GOING_AWAY, _POLICY, _TOO_BIG = 1001, 1008, 1009
_GARBAGE = '{"stream":"\ufffd\x7f","data":{"e":'
_Gone = (trio.BrokenResourceError, trio.ClosedResourceError, LocalProtocolError, RemoteProtocolError)


class _Over(Exception):
    """The conversation ends, and why."""


@dataclass(frozen=True, slots=True)
class House:
    """What all conversations of a sandbox share."""

    clock: Clock
    faults: FaultBoard
    switches: Switches


class Conversation:
    """One client's socket, from the upgrade on. Faults go by ``provider`` and the ``request`` that opened it."""

    def __init__(
        self,
        stream: trio.SocketStream,
        session: Session,
        rules: Rules,
        house: House,
        *,
        provider: str,
        request: Request,
        seen: SeenRequest,
    ) -> None:
        self._stream = stream
        self._session = session
        self._rules = rules
        self._house = house
        self._provider = provider
        self._request = request
        self._seen = seen
        self._socket = WSConnection(ConnectionType.SERVER)
        self._sending = trio.Lock()
        self._received: deque[float] = deque()
        self._half_said = ""
        self._opened = self._pinged = self._ponged = house.clock.elapsed()
        self._ends_at = float("inf")
        self._silent_until = 0.0

    async def hold(self, headers: Sequence[tuple[bytes, bytes]], surplus: bytes) -> None:
        """Accept the upgrade and talk until either side has had enough; ``surplus`` came behind the request."""
        self._socket.initiate_upgrade_connection(list(headers), self._request.target)
        await self._write(AcceptConnection())
        if surplus:
            self._socket.receive_data(surplus)
        async with trio.open_nursery() as nursery:
            for part in (self._listen, self._talk):
                nursery.start_soon(self._until_over, part, nursery.cancel_scope)
        with trio.move_on_after(_FAREWELL_SECONDS), suppress(*_Gone):
            # To close over what the client has sent meanwhile would reset the connection under our last words.
            await self._stream.send_eof()
            while await self._stream.receive_some(_RECEIVE):
                pass

    async def _until_over(self, part: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
        try:
            await part()
        except _Over as over:
            self._end(str(over))
        except _Gone:
            self._end("the client left")
        scope.cancel()

    def _end(self, why: str) -> None:
        self._seen.ended = self._seen.ended or why

    # What the client says.

    async def _listen(self) -> None:
        while True:
            for event in self._socket.events():
                await self._react(event)
            data = await self._stream.receive_some(_RECEIVE)
            if not data:
                raise _Over("the client left")
            self._socket.receive_data(data)

    async def _react(self, event: Event) -> None:
        match event:
            case CloseConnection():
                self._end(f"the client closed: {event.code}")
                await self._write(event.response())
                raise _Over("closed")
            case Ping():
                await self._count()
                await self._write(event.response())
            case Pong():
                self._ponged = self._house.clock.elapsed()
                await self._count()
            case Message():
                self._half_said += event.data if isinstance(event.data, str) else event.data.decode(errors="replace")
                if len(self._half_said) > _LONGEST_MESSAGE:
                    await self._close(_TOO_BIG, "a message is too long")
                if event.message_finished:
                    text, self._half_said = self._half_said, ""
                    await self._hear(text)

    async def _hear(self, text: str) -> None:
        if len(self._seen.heard) < MOST_HEARD:
            self._seen.heard.append(text)
        await self._count()
        for reply in self._session.hear(text, self._house.clock.tick()):
            await self._say(reply)

    async def _count(self) -> None:
        most, now = self._rules.messages_per_second, self._house.clock.elapsed()
        self._received.append(now)
        while self._received[0] <= now - 1:
            self._received.popleft()
        if most is not None and len(self._received) > most:
            await self._close(_POLICY, "Too many requests")

    # What the provider says.

    async def _talk(self) -> None:
        clock = self._house.clock
        last = clock.tick()
        for text in self._session.greet(last):
            await self._say(text)
        while True:
            await trio.sleep(max((last + 1) / TICKS_PER_SECOND - clock.elapsed(), 0))
            # Whoever does not read gets everything when he does, a second at a time.
            tick = min(max(clock.tick(), last + 1), last + TICKS_PER_SECOND)
            fault = self._house.faults.take(self._provider, self._request, clock.now(), OF_CONNECTIONS)
            if fault is not None:
                await self._suffer(fault, tick)
            await self._keep_rules(clock.elapsed())
            for text in await self._session.due(last, tick):
                await self._send_data(text)
            last = tick

    async def _suffer(self, fault: Fault, tick: int) -> None:
        self._seen.fault = fault.kind
        match fault.kind:
            case "silence":
                for_good = fault.count is not None
                self._silent_until = float("inf") if for_good else self._house.clock.elapsed() + 1 / TICKS_PER_SECOND
            case "hang_up":
                self._end("hung up")
                reset(self._stream)
                raise _Over("hung up")
            case "close":
                await self._close(fault.code, "")
            case "shutdown" if self._ends_at == float("inf"):
                self._ends_at = self._house.clock.elapsed() + fault.after_seconds
                for text in self._session.announce_shutdown(tick):
                    await self._say(text)

    async def _keep_rules(self, now: float) -> None:
        switches, rules = self._house.switches, self._rules
        if now >= min(self._ends_at, self._opened + switches.stream_age_seconds):
            await self._close(_GOING_AWAY, "the time of this connection is over")
        wait = rules.first_word_seconds
        if wait is not None and not self._seen.heard and now - self._opened >= wait:
            await self._close(_POLICY, "nothing was subscribed")
        if rules.asks_for_pongs:
            if self._pinged - self._ponged >= switches.pong_seconds:
                await self._close(_POLICY, "no pong")
            if now - self._pinged >= switches.ping_seconds and now >= self._silent_until:
                self._pinged = now
                await self._write(Ping(str(int(self._house.clock.now() * 1000)).encode()))

    async def _send_data(self, text: str) -> None:
        clock = self._house.clock
        fault = self._house.faults.take(self._provider, self._request, clock.now(), OF_FRAMES)
        if fault is not None or clock.elapsed() < self._silent_until:
            self._seen.lost += 1
            if fault is not None and fault.kind == "garble_frames":
                await self._say(_GARBAGE)
            return
        self._seen.sent += 1
        await self._say(text)

    async def _say(self, text: str) -> None:
        if self._house.clock.elapsed() >= self._silent_until:
            await self._write(TextMessage(text))

    async def _close(self, code: int, reason: str) -> None:
        """Send the closing frame and leave without waiting for its answer."""
        self._end(f"closed: {code} {reason}".strip())
        await self._write(CloseConnection(code, reason))
        raise _Over("closed")

    async def _write(self, event: Event) -> None:
        async with self._sending:
            await self._stream.send_all(self._socket.send(event))
