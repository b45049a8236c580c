"""Work on a large body, done beside the event loop and not within it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")

# Hashing or decoding this much takes a few milliseconds; more goes to a worker thread.
LARGE_BYTES = 1_048_576
# Two at a time: each may take many times its size, and the interpreter is one.
_AT_ONCE = trio.CapacityLimiter(2)


async def beside(body: bytes, work: Callable[[bytes], T]) -> T:
    """``work(body)``, in a worker thread when the body is large."""
    if len(body) < LARGE_BYTES:
        return work(body)
    return await trio.to_thread.run_sync(work, body, limiter=_AT_ONCE)
