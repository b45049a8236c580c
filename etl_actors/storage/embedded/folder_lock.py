"""One service per data folder: a lock on a file in it, which the kernel drops when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from ...errors import DataFolderInUse

LOCK_NAME = "service.lock"
PATIENCE_SECONDS = 0.5  # a service killed an instant ago may still be on its way out


@asynccontextmanager
async def hold_folder(folder: Path) -> AsyncIterator[None]:
    """Hold ``folder`` for the length of the block. Raises ``DataFolderInUse`` when somebody else does."""
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with trio.move_on_after(PATIENCE_SECONDS):
            while not _locked(descriptor):  # noqa: ASYNC110  # the kernel tells nobody when a lock is released
                await trio.sleep(PATIENCE_SECONDS / 10)
        if not _locked(descriptor):
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            known = f" (pid {holder})" if holder else ""
            raise DataFolderInUse(f"the data folder {folder} is in use by another service{known}")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)  # which releases the lock


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
