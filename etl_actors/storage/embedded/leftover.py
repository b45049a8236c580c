"""The server of a service that was killed: it is on its way out, and its successor waits for it.

Every process of a PostgreSQL server works in its data directory, which tells them apart for certain where there is a
/proc. A pid in a file does not: after a restart of a container the same number is somebody else, and PostgreSQL would
refuse to start because of it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import trio

from ...errors import ServiceFailed

PROC = Path("/proc")
POLL_SECONDS = 0.02
# After how many seconds an old server is sent what. Its guardian, if there still is one, has sent the first already.
ESCALATION = ((0.0, signal.SIGINT), (15.0, signal.SIGQUIT), (20.0, signal.SIGKILL))
PATIENCE_SECONDS = 30.0


async def wait_old_server_gone(cluster: Path, progress: Callable[[str], None]) -> None:
    """Return when no process works in ``cluster`` any more; end those that do. Raises ``ServiceFailed``."""
    started = trio.current_time()
    steps = list(ESCALATION)
    while left := list(processes_in(cluster)):
        waited = trio.current_time() - started
        if steps and waited >= steps[0][0]:
            _, what = steps.pop(0)
            progress(f"waiting for the previous PostgreSQL (pid {left[0]}) to end")
            _send(what, left, cluster)
        if waited > PATIENCE_SECONDS:
            raise ServiceFailed(f"the previous PostgreSQL (pid {left[0]}) in {cluster} does not end")
        await trio.sleep(POLL_SECONDS)
    _remove_misleading_pid_file(cluster)


def processes_in(folder: Path) -> Iterator[int]:
    """The pids of processes whose working folder is ``folder``."""
    wanted = str(folder.resolve())
    if PROC.is_dir():
        for name in os.listdir(PROC):  # noqa: PTH208  # a few hundred names, asked for often
            if name.isdigit():
                with suppress(OSError):  # ended meanwhile, or another user's
                    if os.readlink(f"{PROC}/{name}/cwd") == wanted:  # noqa: PTH115  # see above
                        yield int(name)


def pid_in_file(cluster: Path) -> int | None:
    """The pid that PostgreSQL noted, or None."""
    try:
        return int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _send(what: signal.Signals, left: list[int], cluster: Path) -> None:
    postmaster = pid_in_file(cluster)
    # Only the postmaster knows how to end a server; without one its orphans end by themselves, or are ended.
    targets = [postmaster] if postmaster in left and what != signal.SIGKILL else left
    if postmaster not in left and what == signal.SIGINT:
        return
    for pid in targets:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


def _remove_misleading_pid_file(cluster: Path) -> None:
    pid = pid_in_file(cluster)
    if pid is not None and (PROC / str(pid)).is_dir():
        (cluster / "postmaster.pid").unlink()
