"""How long somebody who listens may stay: as long as the key lasts, and the session that was opened with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from ...keys import Caller
from ..ports import Doorkeeper
from .sessions import Sessions

KEY_ENDED = "the key was revoked or has expired"
SESSION_OVER = "the session is over"


class Lasting:
    """Knows when a caller must go, whatever it is that listens."""

    def __init__(self, doorkeeper: Doorkeeper, sessions: Sessions) -> None:
        self._doorkeeper = doorkeeper
        self._sessions = sessions

    async def wait_ended(self, caller: Caller, session_token: str | None) -> str:
        """Return why, once it is over; ``session_token`` is None for one who came in by no session."""
        why = ""

        async def watch(wait: Callable[[], Awaitable[None]], reason: str) -> None:
            nonlocal why
            await wait()
            why = reason
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, lambda: self._doorkeeper.wait_ended(caller), KEY_ENDED)
            if session_token is not None:
                nursery.start_soon(watch, lambda: self._sessions.wait_over(session_token), SESSION_OVER)
        return why
