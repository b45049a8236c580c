"""The socket connector: follows one stream for as long as it runs, and says :class:`~etl_actors.messages.Extracted`.

The same to its surroundings as the connector that polls. A stream that breaks is counted, told in one sentence, waited
out and connected anew; a frame that cannot be read is kept as rejected; only what is nobody's plan leaves as an
exception, for the supervisor. When the next room is slow no frame is read, and TCP holds the provider back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf

import trio

from ..errors import PollFailed
from ..messages import Extracted
from ..settings import ConnectorSettings
from .claiming import claim_settled
from .connector_condition import Signs, condition_of, state_of
from .connector_diary import Diary
from .connector_needs import Backoff, Claiming, Decode, Ledger, Limit, Unlimited
from .connector_status import ConnectorStatistics, Tally
from .notices import Condition, Notices
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


class SocketConnectorActor:
    """One stream. The object outlives a crash of :meth:`run`, so its counts and a pause do too."""

    def __init__(
        self,
        connector: ConnectorSettings,
        source: SocketSource,
        mapper: FrameMapper,
        *,
        decode: Decode,
        claim: Claiming,
        backoff: Backoff,
        limit: Limit | None = None,
        ledger: Ledger | None = None,
        stagger_seconds: float = 0.0,
        grace_seconds: float = 5.0,
        numbers: Numbers | None = None,
        unmapped: Callable[[str], str | None] = lambda connector_id: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.connector_id = connector.connector_id
        self._connector = connector
        self._source = source
        self._rules = mapper.frames
        self._claim = claim
        self._backoff = backoff
        self._limit: Limit = limit or Unlimited()
        self._ledger = ledger
        self._stagger_seconds = stagger_seconds
        self._now = now
        self._intake = FrameIntake(
            connector, mapper, decode=decode, ledger=ledger, grace_seconds=grace_seconds, now=now
        )
        self._numbers = numbers or Numbers(None, None)
        self._unmapped = unmapped
        self._crashed: str | None = None
        self._ended: str | None = None
        self._notices = Notices(
            self.connector_id,
            look=self._condition,
            stale_at=lambda: self._tally.stale_at(),
            epoch=lambda: self._intake.epoch,
            ledger=ledger,
            now=now,
        )
        self._calls = Calls()
        self._pace = ConnectPace()
        self._tally = Tally(connector.stale_after_seconds, now)
        self._diary = Diary(connector.connector_id)
        self._relay: Relay | None = None
        self._due = -inf
        self._running = self._claimed = False
        self._frames = self._connections = self._copies = self._lines = 0

    async def run(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        """Until cancelled. ``extracted_send`` is this incarnation's own clone and is closed at the end."""
        with extracted_send:
            self._running, self._crashed, self._ended = True, None, None
            self._tally.began()
            try:
                books = self._numbers.books
                beside = () if books is None else (books.run,)
                await self._notices.tell_beside(self._claim_and_follow, extracted_send, beside=beside)
            except Exception as error:
                self._crashed = f"it crashed ({type(error).__name__}) and is started again"
                self._tally.troubled(self._crashed)
                raise
            finally:
                self._running = self._claimed = False
                self._relay = None
                await self._notices.say_last(extracted_send)

    @property
    def paused(self) -> bool:
        """Whether somebody paused it."""
        return self._calls.paused

    @property
    def epoch(self) -> int:
        """The epoch it reads under; 0 before its first claim."""
        return self._intake.epoch

    def look_again_nowait(self) -> None:
        """What is known of its frames elsewhere may have changed: whether they can be mapped."""
        self._notices.look_again_nowait()

    def part_nowait(self, reason: str) -> None:
        """It is about to be ended for good, for this reason, which is said."""
        self._ended = reason

    def trigger_nowait(self) -> None:
        """A new socket now, in place of the one that is open, if one is; nothing while paused."""
        self._calls.ask_reconnect()

    def pause_nowait(self) -> None:
        """The socket is closed, and none opened until resumed."""
        if self._calls.pause(True):
            self._diary.paused(True)
            self._notices.look_again_nowait()

    def resume_nowait(self) -> None:
        """Follows again, at once."""
        if self._calls.pause(False):
            self._due = -inf
            self._calls.ring()
            self._diary.paused(False)
            self._notices.look_again_nowait()

    def statistics(self) -> SocketStatistics:
        """A snapshot."""
        tally = self._tally
        return SocketStatistics(
            state=state_of(self._signs()),
            last_success=tally.last_success,
            last_error=tally.last_error,
            last_error_at=tally.last_error_at,
            consecutive_failures=tally.failures,
            next_poll=self._next_connect(),
            retry_after_seconds=tally.asked_to_wait(),
            polls=self._connections,
            stale=tally.stale,
            frames=self._frames,
            connections=self._connections,
            copies=self._copies + (self._relay.copies if self._relay is not None else 0),
            connected_since=self._connected_since(),
        )

    async def _claim_and_follow(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        claim = await claim_settled(self.connector_id, self._claim, self._ledger, failed=self._claim_failed)
        self._intake.begin(claim)
        self._numbers.begin(claim.checkpoint, self._connector.fingerprint())
        self._notices.begin(claim.told)
        self._claimed = True
        self._due = trio.current_time() + self._stagger_seconds
        await self._keep_following(extracted_send)

    def _claim_failed(self, reason: str) -> None:
        self._tally.troubled(reason)
        self._diary.claim_failed(reason)
        self._notices.look_again_nowait()

    async def _keep_following(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        calls = self._calls
        while True:
            await calls.until(lambda: not calls.paused)
            await calls.until(lambda: calls.paused or calls.reconnect, self._due)
            if calls.paused:
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
        tally, after = self._tally, self._connector.stale_after_seconds
        connected = self._relay is not None and self._relay.front.ready
        return Signs(
            running=self._running,
            paused=self._calls.paused,
            failing=not connected and bool(tally.failures or (not self._claimed and tally.last_error)),
            last_error=tally.last_error,
            unmapped=self._unmapped(self.connector_id),
            crashed=self._crashed,
            ended=self._ended,
            stale_after_seconds=after if tally.stale else None,
        )

    def _condition(self) -> Condition | None:
        condition = condition_of(self._signs())
        if condition.state == "stopped":
            return condition if self._ended is not None else None
        # Whether it runs well is known with its first frame.
        unknown = condition.state == "running" and not condition.stale and not self._frames
        return None if unknown else condition

    def _connected_since(self) -> datetime | None:
        front = None if self._relay is None else self._relay.front
        if front is None or not front.ready or front.ended:
            return None
        return self._now() - timedelta(seconds=trio.current_time() - front.ready_at)

    def _next_connect(self) -> datetime | None:
        if not self._running or self._calls.paused or self._relay is not None:
            return None
        wait = max(self._due - trio.current_time(), self._limit.held_seconds(), 0.0)
        return self._now() + timedelta(seconds=wait)
