"""The session of a page that logged in: a cookie that proves a key was shown, and is not the key.

Its token names the key, ends after a while, and is authenticated (HMAC-SHA256) over the key's digest, so that it dies
with the key; the secret it is made with is kept outside the database, so that a copy of the tables opens no session.
Nothing is kept of it but the logouts. Its name is this installation's own, since all ports of a host share their
cookies.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from time import time

import trio

from ...keys import Caller

SESSION_SECONDS = 7 * 86_400
MOST_LOGOUTS = 10_000

_TOKEN = re.compile(r"(?P<signed>(?P<key_id>\d{1,19})\.(?P<ends>\d{1,12})\.[A-Za-z0-9_-]{22})\.(?P<seal>[0-9a-f]{64})")

Known = Callable[[int], tuple[Caller, bytes] | None]


class Sessions:
    """Makes and reads tokens. ``known`` answers who a key id is and its digest, while the key is active."""

    def __init__(self, secret: bytes, known: Known, *, clock: Callable[[], float] = time) -> None:
        self._secret = secret
        self._known = known
        self._clock = clock
        self._over: OrderedDict[str, float] = OrderedDict()  # tokens that logged out, with their own end
        self._waiting: dict[str, trio.Event] = {}  # for the logout of these tokens, as long as somebody does
        self.cookie_name = "etl_session_" + hashlib.sha256(b"cookie name" + secret).hexdigest()[:8]

    def begin(self, caller: Caller) -> str | None:
        """A token for a caller who has just shown a key; None when the key ended meanwhile."""
        found = None if caller.key_id is None else self._known(caller.key_id)
        if found is None:
            return None
        signed = f"{caller.key_id}.{int(self._clock()) + SESSION_SECONDS}.{secrets.token_urlsafe(16)}"
        return f"{signed}.{self._seal(signed, found[1])}"

    def caller(self, token: str) -> Caller | None:
        """Who logged in with this token, while it lasts."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        found = self._known(int(match["key_id"]))
        if found is None or not hmac.compare_digest(match["seal"], self._seal(match["signed"], found[1])):
            return None
        return None if token in self._over or int(match["ends"]) <= self._clock() else found[0]

    def end(self, token: str) -> None:
        """Log out: the token opens nothing any more. One that opens nothing anyway is not remembered."""
        if self.caller(token) is None:
            return
        now = self._clock()
        while self._over and (len(self._over) >= MOST_LOGOUTS or next(iter(self._over.values())) <= now):
            self._over.popitem(last=False)
        self._over[token] = now + SESSION_SECONDS
        waiting = self._waiting.pop(token, None)
        if waiting is not None:
            waiting.set()

    async def wait_over(self, token: str) -> None:
        """Return once the session of a token that :meth:`caller` knows was logged out of, or its time has come."""
        match = _TOKEN.fullmatch(token)
        assert match is not None
        logout = self._waiting.setdefault(token, trio.Event())
        try:
            with trio.move_on_after(max(0.0, int(match["ends"]) - self._clock())):
                await logout.wait()
        finally:
            if not logout.statistics().tasks_waiting:
                self._waiting.pop(token, None)

    def _seal(self, signed: str, digest: bytes) -> str:
        return hmac.new(self._secret, digest + signed.encode("ascii"), hashlib.sha256).hexdigest()
