"""The connector: polls one source on schedule for as long as it runs, and says :class:`~etl_actors.messages.Extracted`.

Whatever a provider does is data here: a failed poll is counted, told in one sentence and waited out, and the next one
comes at a tick of the same schedule. Only what is nobody's plan leaves as an exception, for the supervisor.

Waiting happens in six places and nowhere else: for the claim, for the tick, for room to keep an answer, at the
provider's gate, for the answer, and for the next room to take it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import trio
from msgspec.structs import replace

from ..errors import PollFailed
from ..messages import Extracted
from ..settings import ConnectorSettings
from .claimant import Claimant
from .connector_alarm import Alarm
from .connector_condition import Signs
from .connector_intake import Intake
from .connector_needs import Backoff, Claiming, Inspector, Ledger, Limit, Read, Source, Unlimited
from .connector_pages import read_pages
from .connector_status import ConnectorStatistics
from .connector_sweep import Sweep
from .floodgate import Floodgate
from .schedule import Ticks

__all__ = ["Backoff", "Claiming", "ConnectorActor", "ConnectorStatistics", "Inspector", "Limit", "Read", "Source"]


class ConnectorActor(Claimant):
    """One connector that polls; ``on_answer(connector_id, seconds)`` is told how long each answer took."""

    def __init__(
        self,
        connector: ConnectorSettings,
        source: Source,
        *,
        read: Read,
        claim: Claiming,
        backoff: Backoff,
        inspector: Inspector | None = None,
        limit: Limit | None = None,
        ledger: Ledger | None = None,
        floodgate: Floodgate | None = None,
        stagger_seconds: float = 0.0,
        grace_seconds: float = 5.0,
        unmapped: Callable[[str], str | None] = lambda connector_id: None,
        on_answer: Callable[[str, float], None] = lambda connector_id, seconds: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._alarm = Alarm()
        super().__init__(
            connector, self._alarm, claim=claim, ledger=ledger, floodgate=floodgate, unmapped=unmapped, now=now
        )
        self._source = source
        self._backoff = backoff
        self._limit: Limit = limit or Unlimited()
        self._stagger_seconds = stagger_seconds
        self._on_answer = on_answer
        self._intake = Intake(connector, read=read, inspector=inspector, ledger=ledger, grace_seconds=grace_seconds)

    async def run(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        """Until cancelled. ``extracted_send`` is this incarnation's own clone and is closed at the end."""
        async with self._running(extracted_send):
            self._alarm.due = trio.current_time()
            try:
                await self._notices.tell_beside(self._claim_and_poll, extracted_send)
            finally:
                self._limit.leave(self.connector_id)

    def trigger_nowait(self) -> None:
        """Poll now, once, while paused too; the schedule stays as it is, and the provider's limit counts."""
        self._alarm.trigger()

    def pause_nowait(self) -> None:
        """No more polls until resumed; one that is under way is finished."""
        self._pause(True)

    def resume_nowait(self) -> None:
        """Polls again: at once when a tick went by meanwhile."""
        self._pause(False)

    def statistics(self) -> ConnectorStatistics:
        """A snapshot."""
        tally = self._tally
        return ConnectorStatistics(
            **self._facts(),
            next_poll=self._next_turn(self._alarm.due, self._limit.held_seconds()),
            effective_interval_seconds=self._interval(),
            latency_p50_ms=tally.latency_ms(0.50),
            latency_p99_ms=tally.latency_ms(0.99),
            polls=tally.polls,
            unchanged=tally.unchanged,
        )

    async def _claim_and_poll(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        self._intake.begin(await self._wait_claimed())
        # Before anything is waited for: of a connector that is claimed the limit is asked for its interval.
        self._limit.join(self.connector_id, self._connector.interval_seconds, self._connector.cost)
        await self._keep_polling(extracted_send)

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
        """One poll, when there is room for its answer; how many seconds to stay away after it, 0 when it went well."""
        await self._wait_for_room()
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
            self._on_answer(self.connector_id, latency)
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
        return replace(
            super()._signs(),
            answered=self._tally.polls > 0,
            throttled=self._limit.throttled(self.connector_id),
            interval_seconds=self._interval(),
            held_seconds=self._limit.held_seconds(),
        )
