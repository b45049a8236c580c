"""What a connector says of itself to subscribers: how it is, when that changes, and what its stream left out.

A connector's state is computed when somebody asks, so it is not announced where it changes but looked at whenever it
may have changed, and said when it is another than was said last. Between two notices lies ``SPACING_SECONDS``, and what
changes back meanwhile is not said: however a connector flaps, it cannot flood the stream.

A ``Claimant`` has it, and says the last word when a run has ended. What is left to an actor, whatever it reads::

    await self._notices.tell_beside(self._work, extracted_send)   # runs the work, and tells beside it
    self._notices.look_again_nowait()              # wherever the state may have changed: a poll, a pause, a reconnect
    await self._notices.say_gap(gap, extracted_send)       # before the frame that came behind the gap

After each claim, before anything else, ``begin(claim.told)`` says what subscribers believe by now: a connector that
failed when the service was killed is said to run when it does. One of which nothing was ever said is taken to run, so a
start without trouble is silent; that the service stops is no state of a connector and is not said.

``look()`` gives the :class:`Condition` of this moment, None while nobody knows yet (it has just begun), or has
to know (it ends with the service).
``stale_at()`` is the moment of trio's clock at which it will be stale if nothing comes, infinity for never or already.
``epoch()`` is the epoch it reads under; while that is 0 nobody owns the connector and nothing is said.

Notices travel with everything else and so in order with the data they speak of, under the connector's epoch: who lost
the connector says nothing about it any more. They move no checkpoint: storage looks at their epoch only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
import trio
from msgspec import Struct
from uuid_utils.compat import uuid7

from ..messages import UNOWNED, Checkpoint, Extracted, Gap
from .connector_needs import Ledger
from .connector_status import State

log = structlog.get_logger("connector")

SPACING_SECONDS = 1.0
# How long the last word of a connector, or a gap that was found, waits for the next room on borrowed time.
GRACE_SECONDS = 1.0


class Condition(Struct, frozen=True, kw_only=True):
    """How a connector is, as subscribers are told: ``{"state", "reason", "stale"}``."""

    state: State
    reason: str | None = None
    stale: bool = False

    def is_news_after(self, before: Condition) -> bool:
        """Whether it is another state than ``before``; the same one for another reason is no news."""
        return (self.state, self.stale) != (before.state, before.stale)


RUNS_WELL = Condition(state="running")
"""What is taken for granted of a connector of which nothing was ever said."""


class Notices:
    """The notices of one connector; it outlives the runs of its actor, and remembers what was said last."""

    def __init__(
        self,
        connector_id: str,
        *,
        look: Callable[[], Condition | None],
        stale_at: Callable[[], float],
        epoch: Callable[[], int],
        ledger: Ledger | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connector_id = connector_id
        self._look = look
        self._stale_at = stale_at
        self._epoch = epoch
        self._ledger = ledger
        self._now = now
        self._said = RUNS_WELL
        self._nudge = trio.Event()

    def begin(self, told: Any) -> None:
        """The connector is ours; ``told`` is what was said of it last, by us or by whoever had it meanwhile."""
        with suppress(msgspec.ValidationError):
            self._said = self._said if told is None else msgspec.convert(told, Condition)

    def look_again_nowait(self) -> None:
        """The state may be another by now."""
        self._nudge.set()

    async def tell_beside(
        self,
        work: Callable[[trio.MemorySendChannel[Extracted]], Awaitable[None]],
        extracted_send: trio.MemorySendChannel[Extracted],
        *,
        beside: Iterable[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        """Run ``work(extracted_send)``, telling every change of state meanwhile; what it raises leaves as it is.

        What is to run ``beside`` it for as long is run too.
        """
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_telling, extracted_send)
            for task in beside:
                nursery.start_soon(task)
            try:
                await work(extracted_send)
            except Exception as error:
                failure = error  # raised outside: a nursery would wrap it
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def say_last(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        """Say how it ended, if the next room still takes that."""
        with trio.move_on_after(GRACE_SECONDS, shield=True):
            await self._say_news(extracted_send)

    async def say_gap(self, gap: Gap, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        """Say what the stream left out. It is finished on borrowed time, as the sending of a frame is."""
        notice = self._notice("gap", msgspec.json.encode(gap))
        try:
            await self._send(notice, extracted_send)
        except trio.Cancelled:
            with trio.move_on_after(GRACE_SECONDS, shield=True):
                await self._send(notice, extracted_send)
            raise
        log.warning("connector.gap_found", connector_id=self._connector_id, key=gap.key, first=gap.first, last=gap.last)

    async def _keep_telling(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        while True:
            self._nudge = trio.Event()
            if await self._say_news(extracted_send):
                await trio.sleep(SPACING_SECONDS)
                continue
            with trio.move_on_at(self._stale_at()):
                await self._nudge.wait()

    async def _say_news(self, extracted_send: trio.MemorySendChannel[Extracted]) -> bool:
        """Whether there was something to say."""
        condition = self._look()
        if condition is None or not condition.is_news_after(self._said) or self._epoch() == UNOWNED:
            return False
        await self._send(self._notice("connector_status", msgspec.json.encode(condition)), extracted_send)
        self._said = condition
        return True

    def _notice(self, message_type: str, body: bytes) -> Extracted:
        return Extracted(
            extraction_id=uuid7(),
            connector_id=self._connector_id,
            epoch=self._epoch(),
            received_at=self._now(),
            response_time_ms=0,
            body=body,
            checkpoint=Checkpoint(),
            kind="notice",
            message_type=message_type,
        )

    async def _send(self, notice: Extracted, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        # It is on its way for whoever waits until a connector has drained, and for the claim of the next incarnation.
        if self._ledger is not None:
            self._ledger.accept(notice.extraction_id, notice.connector_id)
        try:
            await extracted_send.send(notice)
        except BaseException:
            if self._ledger is not None:
                self._ledger.withdraw(notice.extraction_id)
            raise
