"""How the C library is to manage memory, where it is glibc: for a process that runs for months.

By itself glibc learns from what is freed: once an answer of some megabytes is gone, buffers of that size come from the
heap for ever after, between small things that stay, and the heap grows by holes that nobody can give back. With fixed
limits a large buffer is a mapping of its own, and gone when it is freed.
"""

from __future__ import annotations

import ctypes

# From glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# A mapping costs some microseconds, which buffers of this size take anyhow.
LARGE_BYTES = 131_072
# Each thread would get a heap of its own; ours hold the interpreter most of the time.
ARENAS = 2


def fix_allocator() -> bool:
    """Whether there was something to fix: glibc is there, and took every limit."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    limits = {_MMAP_THRESHOLD: LARGE_BYTES, _TRIM_THRESHOLD: LARGE_BYTES, _ARENA_MAX: ARENAS}
    return all(mallopt(name, value) == 1 for name, value in limits.items())
