"""When to read: not while somebody writes.

An editor may empty a file before it fills it, or take it away before the new one has its name; a deployment writes many
files in a row. Read in between, an empty file is sound TOML that takes its connectors with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from .sight import Sight

QUIET_SECONDS = 0.1
# A file that is gone or empty has to be so for longer than any save takes.
LACKING_SECONDS = 1.0
# Who writes without end is read all the same.
LONGEST_SECONDS = 0.5
_LOOK_SECONDS = 0.05


async def settled(look: Callable[[], Awaitable[Sight]], before: Sight) -> Sight:
    """What there is to see once it stays as it is; ``before`` is what was there when it was read last."""
    begun = quiet_since = lacking_since = trio.current_time()
    seen = await look()
    lacking = seen.lacking(before)
    while True:
        now = trio.current_time()
        quiet = now - quiet_since >= QUIET_SECONDS or now - begun >= LONGEST_SECONDS
        if quiet and (not lacking or now - lacking_since >= LACKING_SECONDS):
            return seen
        await trio.sleep(_LOOK_SECONDS)
        again = await look()
        if again != seen:
            seen, quiet_since = again, trio.current_time()
        if (still := seen.lacking(before)) != lacking:
            lacking, lacking_since = still, trio.current_time()
