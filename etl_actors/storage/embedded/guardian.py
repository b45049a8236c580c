"""The guardian: a process between the service and its PostgreSQL, so that the server never outlives the service.

A program of its own, started by path with nothing but the standard library. It starts the server, keeps a bounded log
of what the server says, and ends it when the service goes: orderly (the pipe from the service is closed) or not (its
process is gone, even where a child of it still holds the pipe). Fast shutdown first (SIGINT), then SIGQUIT, then
SIGKILL. Should the guardian itself be killed, the kernel sends the server SIGINT: that "parent-death signal" goes by
the *thread* that forked, which is why the guardian has one thread only and the service, whose threads come and go, does
not fork the server itself.

Its one argument is a JSON object: ``service_pid``, ``command``, ``user`` and ``group`` (numbers, or null to stay who
one is), ``log``, ``log_bytes``, ``stop_seconds``. It prints the server's pid and exits with the server's exit code.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
QUIT_SECONDS = 5.0
TICK_SECONDS = 0.2  # how fast the exit of the server is noticed where there are no pidfds


class BoundedLog:
    """A file that, once full, becomes ``<name>.1`` and starts anew; trouble with the disk never stops the server."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def write(self, data: bytes) -> None:
        try:
            with self._path.open("ab") as file:
                file.write(data)
                full = file.tell() > self._max_bytes
            if full:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
        except OSError:
            pass


def start_server(options: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start PostgreSQL as the given account, with a parent-death signal where the kernel has one."""
    me = os.getpid()
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def before_exec() -> None:
        # Runs after the change of user, which would reset the parent-death signal.
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
            if os.getppid() != me:
                os._exit(1)

    switch = options["user"] is not None
    return subprocess.Popen(  # noqa: S603  # the command comes from the service
        options["command"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        umask=0o077,
        user=options["user"],
        group=options["group"],
        extra_groups=[] if switch else None,
        preexec_fn=before_exec,  # safe: this process has one thread
    )


def watch_service(pid: int) -> list[int]:
    """Descriptors that become readable when the service ends: the pipe, and its process where that can be watched."""
    descriptors = [sys.stdin.fileno()]
    if hasattr(os, "pidfd_open"):
        with suppress(OSError):  # forbidden in some sandboxes; the pipe remains
            descriptors.append(os.pidfd_open(pid))
    if os.getppid() != pid:
        # Gone before it could be watched: something that is always readable stands for it.
        descriptors.append(os.open(os.devnull, os.O_RDONLY))
    return descriptors


def shutdown_signals(stop_seconds: float) -> Iterator[tuple[signal.Signals, float]]:
    """What to send the server in turn, each with the seconds it has to obey."""
    yield signal.SIGINT, stop_seconds
    yield signal.SIGQUIT, QUIT_SECONDS
    while True:
        yield signal.SIGKILL, QUIT_SECONDS


def guard(server: subprocess.Popen[bytes], options: dict[str, Any]) -> int:
    """Log what the server says until it ends; end it when the service has gone."""
    log = BoundedLog(Path(options["log"]), options["log_bytes"])
    assert server.stdout is not None
    output = server.stdout.fileno()
    os.set_blocking(output, False)
    service = watch_service(options["service_pid"])
    signals = shutdown_signals(options["stop_seconds"])
    next_signal_at: float | None = None
    while server.poll() is None:
        watched = [output] if next_signal_at is not None else [output, *service]
        readable, _, _ = select.select(watched, [], [], TICK_SECONDS)
        if output in readable:
            copy_output(output, log)
        stopping = next_signal_at is not None or any(one in readable for one in service)
        if stopping and (next_signal_at is None or time.monotonic() >= next_signal_at):
            what, seconds = next(signals)
            server.send_signal(what)
            next_signal_at = time.monotonic() + seconds
    copy_output(output, log)
    return server.returncode


def copy_output(output: int, log: BoundedLog) -> None:
    try:
        data = os.read(output, 65536)
    except BlockingIOError:
        return
    if data:
        log.write(data)
    else:
        time.sleep(TICK_SECONDS / 10)  # the server has closed its output and is about to end


def main(argument: str) -> int:
    options = json.loads(argument)
    # Only the end of the service ends the guardian. A handler instead of SIG_IGN, since that one is inherited.
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, lambda *_: None)
    os.umask(0o077)
    server = start_server(options)
    sys.stdout.write(f"{server.pid}\n")
    sys.stdout.flush()
    return guard(server, options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
