"""What a provider says when it reports an error, whatever shape it says it in.

Providers put their words under ``msg``, ``Message``, ``error_message``… one or two objects deep. One sentence of it
goes into the connector's status.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from .numbers import shortened

MAX_CHARACTERS = 200
_WORDS = ("error_message", "message", "msg", "error_description", "error", "err", "detail", "reason", "title")
_CODES = ("code", "error_code")
_DEPTH = 4


def provider_sentence(document: Any, found: Any) -> str:
    """One sentence; ``found`` is what the connector's ``error`` expression gave."""
    words = next(_texts(found), None) or next(_texts(document), None)
    code = _code(found) or next(filter(None, map(_code, _objects(document))), "")
    if not words:
        return f"the provider reports an error ({code})" if code else "the provider reports an error"
    said = shortened(words, MAX_CHARACTERS)
    return f"the provider reports an error: {said}" + (f" ({code})" if code and code not in said else "")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.strip():
        yield value
    for known in _objects(value):
        named = {str(key).lower(): text for key, text in known.items()}
        for word in _WORDS:
            text = named.get(word)
            if isinstance(text, str) and text.strip():
                yield text


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """``value`` and the objects inside it, nearest first."""
    level = [value]
    for _ in range(_DEPTH):
        objects = [candidate for candidate in level if isinstance(candidate, dict)]
        yield from objects
        level = [child for known in objects for child in known.values()]


def _code(value: Any) -> str:
    if isinstance(value, dict):
        return next((text for text in (_code(value.get(key)) for key in _CODES) if text), "")
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"code {value}"
    return ""
