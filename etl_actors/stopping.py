"""What SIGTERM and Ctrl-C do: end the start while the service is starting, drain it afterwards."""

from __future__ import annotations

import signal
from collections.abc import Callable

import structlog
import trio

from .pipeline import Pipeline

log = structlog.get_logger("service")

# What is left to everybody after a second signal.
HURRIED_SECONDS = 0.4


class Stopping:
    """Listens for signals. ``start`` is the scope of everything before there is a pipeline to drain; ``close_by`` is
    told the moment of trio's clock at which the last connection is to be closed.
    """

    def __init__(self, drain_seconds: float, close_by: Callable[[float], None]) -> None:
        self.start = trio.CancelScope()
        self._drain_seconds = drain_seconds
        self._close_by = close_by
        self._pipeline: Pipeline | None = None

    def drain(self, pipeline: Pipeline) -> None:
        """From now on a signal drains ``pipeline``."""
        self._pipeline = pipeline

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """The first signal drains; a second one does not wait for it."""
        drain_seconds = self._drain_seconds
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            task_status.started()
            async for number in signals:
                name = signal.Signals(number).name
                if self._pipeline is None:
                    log.info("service.stopping", signal=name)
                    self.start.cancel()
                else:
                    log.info("service.stopping", signal=name, drain_seconds=drain_seconds)
                    self._pipeline.stop_nowait(drain_seconds)
                    self._close_by(trio.current_time() + max(drain_seconds, HURRIED_SECONDS))
                    drain_seconds = 0.0
