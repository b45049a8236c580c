"""Reads Retry-After: how many seconds a provider asks us to stay away."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 3 * 86_400.0
_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)


def retry_after_seconds(value: str | None, *, date: str | None, now: datetime) -> float | None:
    """``value`` in seconds or as a date, at most three days; None for what is missing, past or makes no sense.

    A date is measured from the provider's own clock, its ``date`` header, where there is one.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_SECONDS)
    until = http_date(text)
    if until is None:
        return None
    seconds = (until - (http_date(date) or now)).total_seconds()
    return min(seconds, LONGEST_SECONDS) if seconds >= 0 else None


def http_date(text: str | None) -> datetime | None:
    """A date as HTTP writes it; None when it is none."""
    if not text or len(text) > 100:
        return None
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
