"""Retry-After in both forms, and everything that is neither."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.sources.retry_after import LONGEST_SECONDS, retry_after_seconds

NOW = datetime(2025, 12, 8, 16, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 119 ", 119),
        ("1.5", 1.5),
        ("1000000000", LONGEST_SECONDS),
        ("9" * 5000, LONGEST_SECONDS),
        ("Mon, 08 Dec 2025 16:01:00 GMT", 60),
        ("Fri, 08 Dec 2051 16:01:00 GMT", LONGEST_SECONDS),
        ("Mon, 08 Dec 2025 15:59:59 GMT", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("٣", None),
        ("nan", None),
        ("1e3", None),
    ],
)
def test_value_means_seconds_or_nothing(value: str | None, seconds: float | None) -> None:
    """Seconds, a date, a cap of three days, and nothing for garbage or the past."""
    assert retry_after_seconds(value, date=None, now=NOW) == seconds


def test_date_counts_from_the_answers_own_date() -> None:
    """The provider's clock measures the provider's date; a broken one is replaced by ours."""
    until = "Mon, 08 Dec 2025 16:01:00 GMT"
    assert retry_after_seconds(until, date="Mon, 08 Dec 2025 16:00:50 GMT", now=NOW) == 10
    assert retry_after_seconds(until, date="garbage", now=NOW) == 60


@given(st.text(max_size=60), st.text(max_size=60))
def test_nothing_breaks_it(value: str, date: str) -> None:
    """Any text gives a sane number or None."""
    seconds = retry_after_seconds(value, date=date, now=NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_SECONDS
