"""Reads out of a document what comes after it: the token of the next page, and the cursor of the next poll. Pure.

It has functions of its own, which hold no state of the mapping's: a large document is read in a worker thread.
"""

from __future__ import annotations

from typing import Any

from ..errors import PayloadRefused
from ..messages import Onward
from .expressions import EVALUATION_ERRORS, Expression, is_truthy
from .numbers import describe, exact_number, shortened

# Both travel in a url, which few servers take much longer.
_LONGEST = 4_096


class Continuation:
    """What ``pagination.from`` and ``cursor.from`` find, where a connector has them."""

    def __init__(self, next_page: Expression | None, cursor: Expression | None) -> None:
        self._next_page = next_page
        self._cursor = cursor

    def onward(self, document: Any) -> Onward:
        """PayloadRefused when an expression fails, or finds what cannot be sent back."""
        return Onward(
            next_page=_text("pagination.from", self._next_page, document),
            cursor=_text("cursor.from", self._cursor, document),
        )


def _text(key: str, expression: Expression | None, document: Any) -> str | None:
    """What is found, as text; None for null, false and what is empty."""
    if expression is None:
        return None
    try:
        found = expression.read(document)
    except EVALUATION_ERRORS as error:
        reason = shortened(str(error), 300) or type(error).__name__
        raise PayloadRefused(f"{key}: `{expression.text}` cannot be evaluated: {reason}") from error
    if not is_truthy(found):
        return None
    text = _sendable(found)
    if text is None:
        raise PayloadRefused(f"{key}: `{expression.text}` should find a text or a number, found {describe(found)}")
    if len(text) > _LONGEST:
        raise PayloadRefused(f"{key}: what `{expression.text}` finds is longer than {_LONGEST:,} characters")
    return text


def _sendable(found: Any) -> str | None:
    """A text as it is, a number in plain notation with every digit it has; None for anything else."""
    if isinstance(found, str):
        return found
    try:
        return None if isinstance(found, bool) else exact_number(found)
    except ValueError:
        return None
