"""Takes our credentials out of what a provider says: some repeat in an answer what they were sent.

What an answer holds is stored, shown and sent to every subscriber, so a key that stands in it would be given to all of
them. Each secret is looked for in every form in which it travels and in which JSON writes it. Very short ones are left,
since they would be found in anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..settings.secret import MASK

SHORTEST = 6
_MASK = MASK.encode()


def without_echoes(body: bytes, secrets: Iterable[str]) -> bytes:
    """``body`` with ``***`` in the place of each secret; the longest first, since one may be part of another."""
    for form in sorted(_written(secrets), key=len, reverse=True):
        if form in body:
            body = body.replace(form, _MASK)
    return body


def _written(secrets: Iterable[str]) -> set[bytes]:
    """Each text as UTF-8, and as a JSON string may hold it."""
    found: set[bytes] = set()
    for text in secrets:
        if len(text) >= SHORTEST:
            escaped = json.dumps(text)[1:-1]
            plain = json.dumps(text, ensure_ascii=False)[1:-1]
            forms = (text, escaped, plain, escaped.replace("/", "\\/"), plain.replace("/", "\\/"))
            found |= {form.encode(errors="replace") for form in forms}
    return found
