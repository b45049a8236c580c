"""Watches a folder: says that something in it may have changed, at once where the system tells, else now and then.

The system tells nothing of a folder on a network, of one that a link leads to elsewhere by now, and of secret files
that lie somewhere else; so whoever listens is asked to look now and then in any case.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import structlog
import trio
import watchfiles

log = structlog.get_logger("config")

LOOK_SECONDS = 5.0


async def watch(folder: Path, look_nowait: Callable[[], None]) -> None:
    """Until cancelled; ``look_nowait`` is called whenever it is worth looking."""
    told = False
    while True:
        try:
            await _watch(folder, look_nowait)
        except (OSError, RuntimeError) as error:
            # The folder is away, or the system watches as many as it can; watchfiles' own error is a RuntimeError.
            if not told:
                log.warning("config.not_watched", folder=str(folder), error=str(error), looking_every=LOOK_SECONDS)
            told = True
            await trio.sleep(LOOK_SECONDS)
        look_nowait()


async def _watch(folder: Path, look_nowait: Callable[[], None]) -> None:
    """Until the folder is another one."""
    watched, stop = _identity(folder), threading.Event()
    changes = watchfiles.watch(
        folder,
        watch_filter=None,
        debounce=200,
        stop_event=stop,
        rust_timeout=int(LOOK_SECONDS * 1000),
        yield_on_timeout=True,
        raise_interrupt=False,
    )
    try:
        while _identity(folder) == watched:
            # The thread that is left behind sees ``stop`` within a moment, and closes what it watches with.
            if await trio.to_thread.run_sync(next, changes, None, abandon_on_cancel=True) is None:
                return
            look_nowait()
        changes.close()
    finally:
        stop.set()


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
