"""The socket connector: follows one stream for as long as it runs, and says :class:`~etl_actors.messages.Extracted`.

The same to its surroundings as the connector that polls. A stream that breaks is counted, told in one sentence, waited
out and connected anew; a frame that cannot be read is kept as rejected; only what is nobody's plan leaves as an
exception, for the supervisor. When the next room is slow no frame is read, and TCP holds the provider back; when there
is no room for what it reads the socket is closed, and the gap told once it follows again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf

import trio
from msgspec.structs import replace

from ..errors import PollFailed
from ..messages import Extracted, Gap
from ..settings import ConnectorSettings
from .claimant import Claimant
from .connector_condition import Signs
from .connector_needs import Backoff, Claiming, Ledger, Limit, Read, Unlimited
from .connector_status import ConnectorStatistics
from .floodgate import Floodgate
from .socket_calls import Calls
from .socket_intake import Frame, FrameIntake
from .socket_line import Line
from .socket_needs import FrameMapper, SocketSource
from .socket_overlap import Overlap
from .socket_pace import ConnectPace
from .socket_relay import Relay
from .socket_sequence import Numbers

# A socket that stayed open for so long was no failure, though it may have had nothing to say.
STEADY_SECONDS = 30.0


class SocketStatistics(ConnectorStatistics, frozen=True, kw_only=True):
    """How a stream is at this moment.

    ``last_success`` is its newest frame, ``next_poll`` when it will be connected while it is not. Of polls and
    latencies it has none. ``frames`` and ``connections`` count since the start, ``copies`` the frames that came twice
    because two sockets overlapped; ``connected_since`` is None while there is no socket.
    """

    frames: int = 0
    connections: int = 0
    copies: int = 0
    connected_since: datetime | None = None


class SocketConnectorActor(Claimant):
    """One stream."""

    def __init__(
        self,
        connector: ConnectorSettings,
        source: SocketSource,
        mapper: FrameMapper,
        *,
        read: Read,
        claim: Claiming,
        backoff: Backoff,
        limit: Limit | None = None,
        ledger: Ledger | None = None,
        floodgate: Floodgate | None = None,
        stagger_seconds: float = 0.0,
        grace_seconds: float = 5.0,
        numbers: Numbers | None = None,
        unmapped: Callable[[str], str | None] = lambda connector_id: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._calls = Calls()
        super().__init__(
            connector, self._calls, claim=claim, ledger=ledger, floodgate=floodgate, unmapped=unmapped, now=now
        )
        self._source = source
        self._rules = mapper.frames
        self._backoff = backoff
        self._limit: Limit = limit or Unlimited()
        self._stagger_seconds = stagger_seconds
        self._intake = FrameIntake(connector, mapper, read=read, ledger=ledger, grace_seconds=grace_seconds, now=now)
        self._numbers = numbers or Numbers(None, None)
        self._pace = ConnectPace()
        self._relay: Relay | None = None
        self._due = -inf
        self._cut_off = False
        self._frames = self._connections = self._copies = self._lines = 0

    async def run(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        """Until cancelled. ``extracted_send`` is this incarnation's own clone and is closed at the end."""
        async with self._running(extracted_send):
            books = self._numbers.books
            beside = (self._watch_floodgate, *(() if books is None else (books.run,)))
            await self._notices.tell_beside(self._claim_and_follow, extracted_send, beside=beside)

    def trigger_nowait(self) -> None:
        """A new socket now, in place of the one that is open, if one is; nothing while paused."""
        self._calls.ask_reconnect()

    def pause_nowait(self) -> None:
        """The socket is closed, and none opened until resumed."""
        self._pause(True)

    def resume_nowait(self) -> None:
        """Follows again, at once."""
        if self._pause(False):
            self._due = -inf
            self._calls.ring()

    def statistics(self) -> SocketStatistics:
        """A snapshot."""
        return SocketStatistics(
            **self._facts(),
            next_poll=self._next_connect(),
            polls=self._connections,
            frames=self._frames,
            connections=self._connections,
            copies=self._copies + (self._relay.copies if self._relay is not None else 0),
            connected_since=self._connected_since(),
        )

    async def _claim_and_follow(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        claim = await self._wait_claimed()
        self._intake.begin(claim)
        self._numbers.begin(claim.checkpoint, self._connector.fingerprint())
        self._due = trio.current_time() + self._stagger_seconds
        await self._keep_following(extracted_send)

    async def _watch_floodgate(self) -> None:
        while True:
            await self._floodgate.wait_closed()
            self._calls.hold(True)
            await self._wait_for_room()
            self._calls.hold(False)

    async def _keep_following(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        calls = self._calls
        while True:
            await calls.until(lambda: not calls.silent)
            if self._cut_off:
                # Where frames are numbered, their numbers will tell it, too; elsewhere nothing else does.
                await self._notices.say_gap(Gap(), extracted_send)
                self._cut_off = False
            await calls.until(lambda: calls.silent or calls.reconnect, self._due)
            if calls.silent:
                continue
            calls.reconnect = False
            failure = await self._follow(extracted_send)
            self._due = trio.current_time() + (self._failed(failure) if failure is not None else 0.0)

    async def _follow(self, extracted_send: trio.MemorySendChannel[Extracted]) -> PollFailed | None:
        """One unbroken run of the stream; why it broke."""

        async def take(frame: Frame) -> None:
            trouble = self._intake.trouble(frame)
            self._frames += 1
            if trouble is not None:
                self._tally.troubled(trouble)
                self._diary.frame_refused(trouble)
                remembered = self._numbers.remembered()
                await self._intake.take(frame, trouble, extracted_send, document=frame.document, cursor=remembered)
                return
            self._heard()
            gap = self._numbers.gap_before(frame.document, frame.connection)
            document = self._numbers.seen(frame.document)
            remembered = self._numbers.remembered()
            try:
                if gap is not None:
                    await self._notices.say_gap(gap, extracted_send)
            finally:
                # Whoever stops us while a gap is told must not cost the frame behind it, which is counted by now.
                await self._intake.take(frame, None, extracted_send, document=document, cursor=remembered)

        relay = self._relay = Relay(
            self._connector,
            self._rules,
            self._calls,
            new_line=self._new_line,
            reports_error=self._intake.reports_error,
            take=take,
            replaced=self._diary.socket_replaced,
            not_replaced=self._not_replaced,
        )
        try:
            failure = await relay.run()
        finally:
            self._copies += relay.copies
            self._cut_off = self._cut_off or relay.cut_off
            self._relay = None
        if trio.current_time() - relay.front.ready_at >= STEADY_SECONDS:
            self._tally.failures = 0
        return failure

    def _heard(self) -> None:
        """A frame came that is data; whether that is news is looked at when it may be, and not for every frame."""
        tally = self._tally
        was_ill = tally.failures > 0 or tally.stale
        self._diary.poll_succeeded(tally.failures)
        tally.heard()
        if was_ill or self._frames == 1:
            self._notices.look_again_nowait()

    def _line_changed(self) -> None:
        self._calls.ring()
        self._notices.look_again_nowait()

    def _new_line(self, predecessor: Overlap | None, opened: Callable[[], None]) -> Line:
        self._lines += 1
        return Line(
            self._connector,
            self._source,
            self._rules,
            self._intake,
            admit=self._admit,
            opened=opened,
            changed=self._line_changed,
            predecessor=predecessor,
            number=self._lines,
        )

    async def _admit(self) -> None:
        await self._pace.wait()
        await self._limit.admit(self._connector.cost)
        self._connections += 1

    def _failed(self, failure: PollFailed) -> float:
        """The stream broke; how many seconds to stay away."""
        self._tally.failed(str(failure), failure.retry_after)
        hold = self._hold(failure, self._tally.failures)
        self._diary.poll_failed(str(failure), self._tally.failures, hold)
        self._notices.look_again_nowait()
        return hold

    def _not_replaced(self, failure: PollFailed) -> float:
        """A socket that is to be replaced goes on; how many seconds until the next try."""
        reason = f"no new socket in place of the old one: {failure}"
        self._tally.troubled(reason)
        hold = max(self._hold(failure, 4), 1.0)
        self._diary.poll_failed(reason, self._tally.failures, hold)
        return hold

    def _hold(self, failure: PollFailed, failures: int) -> float:
        hold = self._backoff.seconds(failure, failures, 0.0)
        if failure.banned:
            self._limit.ban(hold)
        return hold

    def _signs(self) -> Signs:
        connected = self._relay is not None and self._relay.front.ready
        signs = super()._signs()
        return replace(signs, answered=self._frames > 0, failing=signs.failing and not connected)

    def _connected_since(self) -> datetime | None:
        front = None if self._relay is None else self._relay.front
        if front is None or not front.ready or front.ended:
            return None
        return self._now() - timedelta(seconds=trio.current_time() - front.ready_at)

    def _next_connect(self) -> datetime | None:
        if self._relay is not None:
            return None
        return self._next_turn(self._due, self._limit.held_seconds())
