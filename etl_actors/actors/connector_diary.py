"""What a connector writes into the log: when trouble begins, changes and ends, and not each time it is met again."""

from __future__ import annotations

import re

import structlog

log = structlog.get_logger("connector")

_FIGURES = re.compile(r"\d[\d,.]*")


class Diary:
    """The log of one connector."""

    def __init__(self, connector_id: str) -> None:
        self._connector_id = connector_id
        self._trouble: str | None = None
        self._refusal: str | None = None
        self._throttled = False
        self._cut = False

    def poll_failed(self, reason: str, failures: int, wait_seconds: float) -> None:
        """A warning when the reason is new; the same trouble with other figures in it is the same trouble."""
        kind = _FIGURES.sub("#", reason)
        tell = log.debug if kind == self._trouble else log.warning
        self._trouble = kind
        tell(
            "connector.poll_failed",
            connector_id=self._connector_id,
            reason=reason,
            failures=failures,
            wait_seconds=round(wait_seconds, 3),
        )

    def claim_failed(self, reason: str) -> None:
        """The database does not answer; a warning the first time."""
        tell = log.debug if reason == self._trouble else log.warning
        self._trouble = reason
        tell("connector.claim_failed", connector_id=self._connector_id, reason=reason)

    def poll_succeeded(self, failures: int) -> None:
        """Worth a line only after ``failures``."""
        self._trouble = None
        if failures:
            log.info("connector.recovered", connector_id=self._connector_id, failures=failures)

    def throttling(self, throttled: bool, effective_interval: float) -> None:
        """A line when it begins and when it ends."""
        if throttled and not self._throttled:
            seconds = round(effective_interval, 3)
            log.info("connector.throttled", connector_id=self._connector_id, effective_interval_seconds=seconds)
        elif self._throttled and not throttled:
            log.info("connector.unthrottled", connector_id=self._connector_id)
        self._throttled = throttled

    def pages_left(self, cut: bool) -> None:
        """A list has more pages than one poll may read; a line when that begins."""
        if cut and not self._cut:
            log.warning("connector.pages_left", connector_id=self._connector_id, setting="pagination.max_pages")
        self._cut = cut

    def frame_refused(self, reason: str) -> None:
        """A frame of a stream was kept as rejected; a warning when the reason is new."""
        kind = _FIGURES.sub("#", reason)
        tell = log.debug if kind == self._refusal else log.warning
        self._refusal = kind
        tell("connector.frame_refused", connector_id=self._connector_id, reason=reason)

    def socket_replaced(self) -> None:
        """A new socket took the place of the old one."""
        log.info("connector.socket_replaced", connector_id=self._connector_id)

    def paused(self, paused: bool) -> None:
        """Somebody paused it, or let it go on."""
        log.info("connector.paused" if paused else "connector.resumed", connector_id=self._connector_id)

    def held_up(self, reason: str) -> None:
        """Nothing may be read now, as there is no room to keep it."""
        log.warning("connector.held_up", connector_id=self._connector_id, reason=reason)
