"""SIGHUP: read the config anew, as daemons do."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import structlog
import trio

log = structlog.get_logger("config")


@contextmanager
def hangups() -> Iterator[AsyncIterator[int]]:
    """Every SIGHUP, from now on; they wait until somebody reads them. None where the system has no such signal."""
    if not hasattr(signal, "SIGHUP"):
        nobody, silence = trio.open_memory_channel[int](0)
        with nobody:
            yield silence
        return
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        yield signals


async def reload_on_hangup(
    signals: AsyncIterator[int], reload_nowait: Callable[[str], None], stop_nowait: Callable[[], None]
) -> None:
    """Until cancelled. A terminal that was closed sends the same signal, and means that we should stop."""
    terminals = [number for number in range(3) if os.isatty(number)]
    async for _ in signals:
        if terminals and not any(map(os.isatty, terminals)):
            nowhere = os.open(os.devnull, os.O_RDWR)
            for number in terminals:
                os.dup2(nowhere, number)  # what is still said must not fail us
            os.close(nowhere)
            terminals = []
            stop_nowait()
        else:
            reload_nowait("SIGHUP")
