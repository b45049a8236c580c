"""Who makes a connector ours and works for it, whatever it reads: how it stands meanwhile, and what it tells of that.

It is what the actor that polls and the one that follows a stream have in common. Each waits for its claim before it
reads, and has its tally count what it reads::

    async with self._running(extracted_send):
        await self._notices.tell_beside(self._work, extracted_send)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol

import trio
from msgspec.structs import replace

from ..messages import UNOWNED, Claim, Extracted
from ..settings import ConnectorSettings
from .claiming import claim_settled
from .connector_condition import Signs, condition_of, state_of
from .connector_diary import Diary
from .connector_needs import Claiming, Ledger
from .connector_status import Tally
from .floodgate import Floodgate
from .notices import Notices


class Pausable(Protocol):
    """What an actor waits on; ``pause`` is False when that was asked for already."""

    paused: bool

    def pause(self, paused: bool, /) -> bool: ...


class Claimant:
    """One connector. The object outlives a crash of its run, so its counts and a pause do too.

    ``epoch`` is the one it reads under, 0 before its first claim. ``unmapped(connector_id)`` says why nothing of its
    newest answer could be mapped, if nothing could.
    """

    def __init__(
        self,
        connector: ConnectorSettings,
        waits_on: Pausable,
        *,
        claim: Claiming,
        ledger: Ledger | None,
        floodgate: Floodgate | None,
        unmapped: Callable[[str], str | None],
        now: Callable[[], datetime],
    ) -> None:
        self.connector_id = connector.connector_id
        self.epoch = UNOWNED
        self._connector = connector
        self._waits_on = waits_on
        self._claim = claim
        self._ledger = ledger
        self._floodgate = floodgate or Floodgate()
        self._unmapped = unmapped
        self._now = now
        self._run_signs = Signs(running=False)
        self._claimed = False
        self._tally = Tally(connector.stale_after_seconds, now)
        self._diary = Diary(connector.connector_id)
        self._notices = Notices(
            connector.connector_id,
            look=lambda: condition_of(self._signs()),
            stale_at=self._tally.stale_at,
            epoch=lambda: self.epoch,
            ledger=ledger,
            now=now,
        )

    @property
    def paused(self) -> bool:
        """Whether somebody paused it."""
        return self._waits_on.paused

    def look_again_nowait(self) -> None:
        """What is known of its answers elsewhere may have changed: whether they can be mapped."""
        self._notices.look_again_nowait()

    def part_nowait(self, reason: str) -> None:
        """It is about to be ended, for this reason, which is said."""
        self._run_signs = replace(self._run_signs, ended=reason)
        self._tally.troubled(reason)

    @asynccontextmanager
    async def _running(self, extracted_send: trio.MemorySendChannel[Extracted]) -> AsyncIterator[None]:
        """Around one run: how it ends is noted and said, and ``extracted_send`` closed."""
        with extracted_send:
            self._run_signs = Signs(running=True)
            self._tally.began()
            try:
                yield
            except Exception as error:
                crashed = f"it crashed ({type(error).__name__}) and is started again"
                self._run_signs = replace(self._run_signs, crashed=crashed)
                self._tally.troubled(crashed)
                raise
            finally:
                self._run_signs, self._claimed = replace(self._run_signs, running=False), False
                await self._notices.say_last(extracted_send)

    async def _wait_claimed(self) -> Claim:
        """The claim; whoever reads takes up its part of it before anything else is waited for."""
        claim = await claim_settled(self.connector_id, self._claim, self._ledger, failed=self._claim_failed)
        self.epoch, self._claimed = claim.epoch, True
        self._notices.begin(claim.told)
        return claim

    async def _wait_for_room(self) -> None:
        """Until what would be read can be kept; meanwhile it says why it waits."""
        if self._floodgate.reason is not None:
            self._diary.held_up(self._floodgate.reason)
            self._notices.look_again_nowait()
            await self._floodgate.wait_open()
            self._notices.look_again_nowait()

    def _claim_failed(self, reason: str) -> None:
        self._tally.troubled(reason)
        self._diary.claim_failed(reason)
        self._notices.look_again_nowait()

    def _pause(self, paused: bool) -> bool:
        """It rests, or no longer; False when it did already."""
        changed = self._waits_on.pause(paused)
        if changed:
            self._diary.paused(paused)
            self._notices.look_again_nowait()
        return changed

    def _signs(self) -> Signs:
        """Whoever reads something adds what only that shows."""
        tally = self._tally
        return replace(
            self._run_signs,
            paused=self.paused,
            held_up=self._floodgate.reason,
            failing=bool(tally.failures or (not self._claimed and tally.last_error)),
            last_error=tally.last_error,
            unmapped=self._unmapped(self.connector_id),
            stale_after_seconds=self._connector.stale_after_seconds if tally.stale else None,
        )

    def _facts(self) -> dict[str, Any]:
        """Those of the statistics that every connector has."""
        tally = self._tally
        return {
            "state": state_of(self._signs()),
            "last_success": tally.last_success,
            "last_error": tally.last_error,
            "last_error_at": tally.last_error_at,
            "failures": tally.all_failures,
            "consecutive_failures": tally.failures,
            "retry_after_seconds": tally.asked_to_wait(),
            "stale": tally.stale,
        }

    def _next_turn(self, due: float, held_seconds: float) -> datetime | None:
        """When it acts if that is ``due`` then, a moment of trio's clock; None while it does not run, or rests."""
        if not self._run_signs.running or self.paused or self._floodgate.reason is not None:
            return None
        return self._now() + timedelta(seconds=max(due - trio.current_time(), held_seconds, 0.0))
