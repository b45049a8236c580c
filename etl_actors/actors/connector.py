"""The connector: polls one source on schedule for as long as it runs, and says :class:`~etl_actors.messages.Extracted`.

Whatever a provider does is data here: a failed poll is counted, told in one sentence and waited out, and the next one
comes at a tick of the same schedule. Only what is nobody's plan leaves as an exception, for the supervisor.

Waiting happens in five places and nowhere else: for the claim, for the tick, at the provider's gate, for the answer,
and for the next room to take it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import trio

from ..errors import PollFailed
from ..messages import Extracted
from ..settings import ConnectorSettings
from .claiming import claim_settled
from .connector_alarm import Alarm
from .connector_condition import Signs, condition_of, state_of
from .connector_diary import Diary
from .connector_intake import Intake
from .connector_needs import Backoff, Claiming, Decode, Inspector, Ledger, Limit, Source, Unlimited
from .connector_pages import read_pages
from .connector_status import ConnectorStatistics, Tally
from .connector_sweep import Sweep
from .notices import Condition, Notices
from .schedule import Ticks

__all__ = ["Backoff", "Claiming", "ConnectorActor", "ConnectorStatistics", "Decode", "Inspector", "Limit", "Source"]


class ConnectorActor:
    """One connector. The object outlives a crash of :meth:`run`, so its counts and a pause do too.

    ``unmapped(connector_id)`` says why nothing of its newest answer could be mapped, if nothing could.
    """

    def __init__(
        self,
        connector: ConnectorSettings,
        source: Source,
        *,
        decode: Decode,
        claim: Claiming,
        backoff: Backoff,
        inspector: Inspector | None = None,
        limit: Limit | None = None,
        ledger: Ledger | None = None,
        stagger_seconds: float = 0.0,
        grace_seconds: float = 5.0,
        unmapped: Callable[[str], str | None] = lambda connector_id: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.connector_id = connector.connector_id
        self._connector = connector
        self._source = source
        self._claim = claim
        self._backoff = backoff
        self._limit: Limit = limit or Unlimited()
        self._ledger = ledger
        self._stagger_seconds = stagger_seconds
        self._now = now
        self._intake = Intake(connector, decode=decode, inspector=inspector, ledger=ledger, grace_seconds=grace_seconds)
        self._alarm = Alarm()
        self._tally = Tally(connector.stale_after_seconds, now)
        self._diary = Diary(connector.connector_id)
        self._running = self._claimed = False
        self._crashed: str | None = None
        self._ended: str | None = None
        self._unmapped = unmapped
        self._notices = Notices(
            self.connector_id,
            look=self._condition,
            stale_at=lambda: self._tally.stale_at(),
            epoch=lambda: self._intake.epoch,
            ledger=ledger,
            now=now,
        )

    async def run(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        """Until cancelled. ``extracted_send`` is this incarnation's own clone and is closed at the end."""
        with extracted_send:
            self._running, self._crashed, self._ended = True, None, None
            self._tally.began()
            self._alarm.due = trio.current_time()
            try:
                await self._notices.tell_beside(self._claim_and_poll, extracted_send)
            except Exception as error:
                self._crashed = f"it crashed ({type(error).__name__}) and is started again"
                self._tally.troubled(self._crashed)
                raise
            finally:
                self._running = self._claimed = False
                self._limit.leave(self.connector_id)
                await self._notices.say_last(extracted_send)

    @property
    def paused(self) -> bool:
        """Whether somebody paused it."""
        return self._alarm.paused

    @property
    def epoch(self) -> int:
        """The epoch it reads under; 0 before its first claim."""
        return self._intake.epoch

    def look_again_nowait(self) -> None:
        """What is known of its answers elsewhere may have changed: whether they can be mapped."""
        self._notices.look_again_nowait()

    def part_nowait(self, reason: str) -> None:
        """It is about to be ended for good, for this reason, which is said."""
        self._ended = reason

    def trigger_nowait(self) -> None:
        """Poll now, once, while paused too; the schedule stays as it is, and the provider's limit counts."""
        self._alarm.trigger()

    def pause_nowait(self) -> None:
        """No more polls until resumed; one that is under way is finished."""
        if self._alarm.pause(True):
            self._diary.paused(True)
            self._notices.look_again_nowait()

    def resume_nowait(self) -> None:
        """Polls again: at once when a tick went by meanwhile."""
        if self._alarm.pause(False):
            self._diary.paused(False)
            self._notices.look_again_nowait()

    def statistics(self) -> ConnectorStatistics:
        """A snapshot."""
        tally = self._tally
        return ConnectorStatistics(
            state=state_of(self._signs()),
            last_success=tally.last_success,
            last_error=tally.last_error,
            last_error_at=tally.last_error_at,
            consecutive_failures=tally.failures,
            next_poll=self._next_poll(),
            effective_interval_seconds=self._interval(),
            retry_after_seconds=tally.asked_to_wait(),
            latency_p50_ms=tally.latency_ms(0.50),
            latency_p99_ms=tally.latency_ms(0.99),
            polls=tally.polls,
            unchanged=tally.unchanged,
            stale=tally.stale,
        )

    async def _claim_and_poll(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        claim = await claim_settled(self.connector_id, self._claim, self._ledger, failed=self._claim_failed)
        self._intake.begin(claim)
        self._notices.begin(claim.told)
        self._limit.join(self.connector_id, self._connector.interval_seconds, self._connector.cost)
        self._claimed = True
        await self._keep_polling(extracted_send)

    def _claim_failed(self, reason: str) -> None:
        self._tally.troubled(reason)
        self._diary.claim_failed(reason)
        self._notices.look_again_nowait()

    async def _keep_polling(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        started = trio.current_time()
        self._alarm.due = tick = started + self._stagger_seconds
        await self._alarm.wait()
        hold = await self._poll(extracted_send)
        # By now the others of the limit have joined. Stretched intervals are spread, or all calls of a provider would
        # come at the beginning of each long interval and queue at its gate, and none during the rest of it.
        spread = self._limit.spread_seconds(self.connector_id)
        ticks = Ticks(phase=started + self._stagger_seconds + spread, interval=self._interval())
        while True:
            now = trio.current_time()
            after = max(now, ticks.phase) if ticks.interval > 0 else now
            # A pause of our own counts from the tick that failed, or one interval of it would always skip a tick.
            held_until = (now if self._tally.asked_to_wait() else tick) + hold
            self._alarm.due = ticks.at_or_after(held_until) if held_until > after else ticks.after(after)
            triggered = await self._alarm.wait()
            tick = tick if triggered else self._alarm.due
            hold = await self._poll(extracted_send)
            ticks = ticks.stretched(self._interval(), last_tick=tick)

    async def _poll(self, extracted_send: trio.MemorySendChannel[Extracted]) -> float:
        """One poll; how many seconds to stay away after it, 0 when it went well."""
        sweep = Sweep(self._connector, self._intake.checkpoint.cursor)
        try:
            latency, sent = await read_pages(
                sweep, self._source, self._intake, extracted_send, admit=self._admit, begun=self._alarm.answer
            )
        except PollFailed as failure:
            hold = self._failed(failure)
        else:
            hold = 0.0
            self._diary.poll_succeeded(self._tally.failures)
            self._tally.succeeded(latency, unchanged=not sent)
            self._diary.pages_left(sweep.cut)
        self._diary.throttling(self._limit.throttled(self.connector_id), self._interval())
        self._notices.look_again_nowait()
        return hold

    async def _admit(self) -> None:
        self._notices.look_again_nowait()  # the gate may be held because of another connector
        await self._limit.admit(self._connector.cost)

    def _failed(self, failure: PollFailed) -> float:
        reason = str(failure)
        self._tally.failed(reason, failure.retry_after)
        hold = self._backoff.seconds(failure, self._tally.failures, self._interval())
        if failure.banned:
            self._limit.ban(hold)
        self._diary.poll_failed(reason, self._tally.failures, hold)
        return hold

    def _interval(self) -> float:
        if not self._claimed:
            return self._connector.interval_seconds
        return self._limit.effective_interval(self.connector_id)

    def _signs(self) -> Signs:
        tally, after = self._tally, self._connector.stale_after_seconds
        return Signs(
            running=self._running,
            paused=self._alarm.paused,
            failing=bool(tally.failures or (not self._claimed and tally.last_error)),
            throttled=self._limit.throttled(self.connector_id),
            last_error=tally.last_error,
            unmapped=self._unmapped(self.connector_id),
            crashed=self._crashed,
            ended=self._ended,
            interval_seconds=self._interval(),
            held_seconds=self._limit.held_seconds(),
            stale_after_seconds=after if tally.stale else None,
        )

    def _condition(self) -> Condition | None:
        signs = self._signs()
        condition = condition_of(signs)
        if condition.state == "stopped":
            return condition if self._ended is not None else None
        # Whether it runs well is known with its first answer.
        unknown = condition.state in {"running", "throttled"} and not condition.stale and not self._tally.polls
        return None if unknown else condition

    def _next_poll(self) -> datetime | None:
        if not self._running or self._alarm.paused:
            return None
        wait = max(self._alarm.due - trio.current_time(), self._limit.held_seconds(), 0.0)
        return self._now() + timedelta(seconds=wait)
