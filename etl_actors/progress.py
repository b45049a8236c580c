"""One live line while the service starts, on a terminal only; elsewhere the log tells the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import trio

log = structlog.get_logger("service")


class Progress:
    """Says what is being done now. Call it with each step."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._started = trio.current_time()

    def __call__(self, step: str) -> None:
        """Now ``step`` is being done."""
        if self._terminal:
            elapsed = trio.current_time() - self._started
            sys.stderr.write(f"\r\x1b[2K\x1b[36m⠿\x1b[0m {step} … \x1b[2m{elapsed:.1f} s\x1b[0m")
            sys.stderr.flush()
        else:
            log.info("service.step", step=step)

    def clear(self) -> None:
        """Take the line away."""
        if self._terminal:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress line that is gone when the block ends, however it ends."""
    line = Progress()
    try:
        yield line
    finally:
        line.clear()
