"""Starting the embedded server under its guardian, knowing when it is ready, ending it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from ...errors import ServiceFailed
from . import guardian
from .account import Account
from .binaries import Binaries
from .cluster import ENVIRONMENT
from .complaints import complaint, dying_words
from .home import Home

LOG_BYTES = 5_000_000
STOP_SECONDS = 10.0
# The guardian kills what does not stop; beyond this it is the guardian that hangs.
GUARDIAN_SECONDS = STOP_SECONDS + guardian.QUIT_SECONDS + 5.0
# Crash recovery reads at most max_wal_size of log; on a slow disk that takes its time.
START_SECONDS = 600.0
PATIENT_SECONDS = 3.0
POLL_SECONDS = 0.01


class Server:
    """A running server: its postmaster's ``pid``, and how to learn that it died."""

    def __init__(self, process: trio.Process, pid: int, home: Home, log_offset: int) -> None:
        self.pid = pid
        self._process = process
        self._home = home
        self._log_offset = log_offset

    @property
    def died(self) -> bool:
        """Whether the server, or the guardian that answers for it, has ended."""
        return self._process.poll() is not None

    async def wait_died(self) -> str:
        """Wait for that; answers what the server said last, for a log line or an error."""
        code = await self._process.wait()
        said = dying_words(self.last_words(), self.pid)
        return str(complaint(f"PostgreSQL ended{_by_whom(code)}", said, self._home.folder))

    async def wait_ready(self, progress: Callable[[str], None]) -> None:
        """Wait until it takes connections. Raises ``UsageError`` or ``ServiceFailed`` when it ends instead."""
        started = trio.current_time()
        patient = False
        while not _says_ready(self._home.cluster, self.pid):
            if self.died:
                raise complaint("PostgreSQL did not start", self.last_words(), self._home.folder)
            waited = trio.current_time() - started
            if waited > START_SECONDS:
                raise ServiceFailed(f"PostgreSQL was not ready after {START_SECONDS:.0f} seconds, see {self._home.log}")
            if waited > PATIENT_SECONDS and not patient:
                patient = True
                progress("PostgreSQL is recovering from its last stop")
            await trio.sleep(POLL_SECONDS)

    def last_words(self) -> str:
        """What the server logged since it was started, the last few kilobytes of it."""
        try:
            with self._home.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                since = self._log_offset if self._log_offset <= size else 0  # the log may have been started anew
                file.seek(max(since, size - 8192))
                return file.read().decode(errors="replace")
        except OSError:
            return ""


@asynccontextmanager
async def open_server(
    binaries: Binaries, home: Home, account: Account, settings: Mapping[str, str]
) -> AsyncIterator[Server]:
    """Start the server with ``settings`` on its command line; end it, at latest by force, when the block ends."""
    log_offset = home.log.stat().st_size if home.log.exists() else 0
    process = await trio.lowlevel.open_process(
        _guardian_command(binaries, home, account, settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        cwd="/",
        start_new_session=True,  # Ctrl-C in a terminal is for the service to act upon
    )
    try:
        assert process.stdout is not None
        pid = (await process.stdout.receive_some()).strip()
        if not pid:
            raise ServiceFailed(f"the guardian of PostgreSQL did not start ({sys.executable})")
        yield Server(process, int(pid), home, log_offset)
    finally:
        await _stop(process)


def _guardian_command(binaries: Binaries, home: Home, account: Account, settings: Mapping[str, str]) -> list[str]:
    command = [str(binaries.program("postgres")), "-D", str(home.cluster)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    options = {
        "service_pid": os.getpid(),
        "command": command,
        "user": account.user,
        "group": account.group,
        "log": str(home.log),
        "log_bytes": LOG_BYTES,
        "stop_seconds": STOP_SECONDS,
    }
    # -I and -S: nothing but the standard library, whatever the environment says.
    return [sys.executable, "-I", "-S", str(Path(guardian.__file__)), json.dumps(options)]


def _by_whom(code: int) -> str:
    """What the exit code of the guardian tells: its own end, or that of the server, which it passes on."""
    if code < 0:
        return f" with its guardian, by {signal.Signals(-code).name}"
    # The guardian exits with -9 for a server that was killed, of which the system keeps one byte.
    return f" by {signal.Signals(256 - code).name}" if 256 - signal.NSIG < code < 256 else ""


def _says_ready(cluster: Path, pid: int) -> bool:
    # The eighth line of PostgreSQL's lock file is its status; the first tells that the file is not an old one.
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


async def _stop(process: trio.Process) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    with trio.move_on_after(GUARDIAN_SECONDS, shield=True):
        await process.stdin.aclose()  # which tells the guardian to end the server
        await process.stdout.aclose()
        await process.wait()
    if process.poll() is None:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
