"""What goes wrong around a data folder, as one sentence that names the mend.

The operating system speaks in error numbers, PostgreSQL's programs in lines of text; both end here. What the person who
started the service can mend becomes ``UsageError``, anything else stays ``ServiceFailed`` with PostgreSQL's own words.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import EtlActorsError, ServiceFailed, UsageError

_ELSEWHERE = "or choose another --data-dir"
_FULL = "there is no space left on the disk of {folder}: free some, " + _ELSEWHERE
_CLOSED = "{folder} cannot be written ({reason}): open it for the user who runs the service, " + _ELSEWHERE
_UNUSABLE = "{folder} cannot be used ({reason}): choose another --data-dir"
_MENDS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
    errno.EROFS: _CLOSED,
    errno.ENAMETOOLONG: "the path {folder} is too long: choose a shorter --data-dir",
    errno.ENOTDIR: "{folder} is not a folder: choose another --data-dir",
    errno.EEXIST: "{folder} is not a folder: choose another --data-dir",
}
_SAID = {
    "No space left on device": errno.ENOSPC,
    "Disk quota exceeded": errno.EDQUOT,
    "Permission denied": errno.EACCES,
    "Read-only file system": errno.EROFS,
    "File name too long": errno.ENAMETOOLONG,
}
# An ERROR is a statement's, and of no server's death.
_TELLING = ("FATAL:", "PANIC:", "error:")
# Said whatever happens, at the end and to clients that come at a bad time.
_NOTHING_NEW = re.compile("database system is (shut down|shutting down|starting up)")


@contextmanager
def mendable(folder: Path) -> Iterator[None]:
    """Around work on the files of ``folder``: raise ``UsageError`` for what its owner can mend."""
    try:
        yield
    except OSError as error:
        mend = _MENDS.get(error.errno or 0, _UNUSABLE)
        raise UsageError(mend.format(folder=folder, reason=error.strerror)) from error


def complaint(what: str, output: str, folder: Path) -> EtlActorsError:
    """The error for a program of PostgreSQL that failed with ``output``; ``what`` begins the sentence."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and not _NOTHING_NEW.search(line)]
    for text, number in _SAID.items():
        if text in output:
            return UsageError(_MENDS[number].format(folder=folder, reason=text))
    telling = [line for line in lines if any(mark in line for mark in _TELLING)]
    said = (telling or lines or ["it said nothing"])[-1]
    return ServiceFailed(f"{what}: {said}")


def dying_words(output: str, pid: int) -> str:
    """Of what a server said, that which tells of its death: a panic, else the last that its postmaster ``pid`` said.

    What the others say is about their clients.
    """
    lines = output.splitlines()
    panics = [line for line in lines if "PANIC:" in line]
    return "\n".join(panics or [line for line in lines if f"[{pid}]" in line] or lines)
