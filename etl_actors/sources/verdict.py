"""What an answer that brings nothing means: one sentence, and how long to stay away.

The sentence has the status, the provider's own words where it has any, masked, and what it asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

import httpx

from ..errors import PollFailed
from .discretion import bare
from .echoes import masked
from .exchange import Answer
from .provider_words import provider_words
from .retry_after import retry_after_seconds
from .wording import one_line

_REFUSALS = frozenset({401, 403, 451})
_BANNED = 418
_TOO_MANY = 429


def failure(answer: Answer, secrets: Iterable[str]) -> PollFailed:
    """The failure that ``answer`` is, without the ``secrets`` that it may repeat."""
    retry_after = retry_after_seconds(
        answer.headers.get("retry-after"), date=answer.headers.get("date"), now=answer.received_at
    )
    # Who says "too many" and not for how long is asked as rarely as one who refuses.
    unsaid = answer.status == _TOO_MANY and retry_after is None
    return PollFailed(
        _sentence(answer, retry_after, list(secrets)),
        retry_after=retry_after,
        refused=answer.status in _REFUSALS or unsaid,
        banned=answer.status == _BANNED,
        status=answer.status,
    )


def _sentence(answer: Answer, retry_after: float | None, secrets: list[str]) -> str:
    if 300 <= answer.status < 400:
        return _moved(answer, secrets)
    words = provider_words(answer.body, secrets=secrets)
    wait = "" if retry_after is None else f"; asks to wait {retry_after:g} s"
    return f"HTTP {answer.status} ({_phrase(answer.status)})" + (f": {words}" if words else "") + wait


def _moved(answer: Answer, secrets: list[str]) -> str:
    if answer.status == 304:
        return "HTTP 304 (Not Modified) although nothing was known that could be unmodified"
    try:
        # Masked before it is cut: half a secret is no longer found.
        where = one_line(masked(bare(httpx.URL(answer.headers["location"])), secrets))
    except (KeyError, httpx.InvalidURL, ValueError):
        return f"HTTP {answer.status} ({_phrase(answer.status)}), and redirects are not followed"
    return f"HTTP {answer.status} ({_phrase(answer.status)}): this moved to {where}; redirects are not followed"


def _phrase(status: int) -> str:
    if status == _BANNED:
        return "this address is banned"
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown status"
