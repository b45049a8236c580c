"""Signs requests: an HMAC over the query, as it is sent, and the body, joined without a separator.

The window and the time in milliseconds are added to the query first, the signature is appended last, and the query goes
out exactly as it was signed.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

from ..settings import HmacAuth
from .credentials import forms
from .draft import Draft

# Within the window of a signature others like it may be made.
_PAST_SIGNATURES = 16
WINDOW_PARAM = "recvWindow"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def signature(
    secret: str, query: bytes, body: bytes = b"", *, algorithm: Literal["sha256", "sha384", "sha512"] = "sha256"
) -> str:
    """The signature of a request, in lower-case hexadecimal digits."""
    return hmac.new(secret.encode(), query + body, algorithm).hexdigest()


def sign(draft: Draft, auth: HmacAuth, *, at_ms: int) -> str:
    """Makes ``draft`` a signed request of the instant ``at_ms``; returns the signature."""
    if auth.recv_window is not None:
        draft.append(WINDOW_PARAM, str(auth.recv_window))
    draft.append(auth.timestamp_param, str(at_ms))
    signed = signature(auth.secret.reveal(), draft.query, draft.body, algorithm=auth.algorithm)
    draft.append(auth.signature_param, signed)
    draft.set_header(auth.key_header, auth.key.reveal())
    return signed


class Signer:
    """Signs each request with the time of ``now``."""

    def __init__(self, auth: HmacAuth, now: Callable[[], datetime]) -> None:
        self._auth = auth
        self._now = now
        self._signed: deque[str] = deque(maxlen=_PAST_SIGNATURES)

    async def apply(self, draft: Draft) -> None:
        """Adds key, time and signature."""
        self._signed.append(sign(draft, self._auth, at_ms=(self._now() - _EPOCH) // timedelta(milliseconds=1)))

    def denied(self, draft: Draft) -> bool:
        """Another signature of the same key would be refused as well."""
        return False

    def secrets(self) -> list[str]:
        """Both keys, and the newest signatures, which others could use as long as their window lasts."""
        return forms([self._auth.key.reveal(), self._auth.secret.reveal(), *self._signed])
