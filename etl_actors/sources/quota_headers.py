"""Reads what a provider's headers say about our quota: for how long to hold, if at all.

Known are the used weight of the current minute (``X-MBX-USED-WEIGHT-1M``) and the two spellings of remaining calls and
reset (``RateLimit-…`` and ``X-RateLimit-…``). Whatever makes no sense is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from .retry_after import http_date

# A quota that is used up is asked about again after an hour: headers of strangers are not believed for longer.
LONGEST_HOLD_SECONDS = 3600.0
# Others may use the same address, so the last twentieth of the minute's weight is left to them.
NEAR = 0.95
_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)


def hold_seconds(headers: Mapping[str, str], weight_per_minute: float | None, now: datetime) -> float:
    """How long everybody of the limit should hold; 0 when the headers give no reason to."""
    by_name = {name.lower(): value for name, value in headers.items()}
    clock = http_date(by_name.get("date")) or now
    holds = [_exhausted(by_name, prefix, clock) for prefix in ("ratelimit", "x-ratelimit")]
    used = _number(by_name.get("x-mbx-used-weight-1m"))
    if weight_per_minute is not None and used is not None and used >= weight_per_minute * NEAR:
        holds.append(60.0 - clock.second)
    return min(max(holds), LONGEST_HOLD_SECONDS)


def _exhausted(by_name: Mapping[str, str], prefix: str, clock: datetime) -> float:
    remaining, reset = (_number(by_name.get(f"{prefix}-{name}")) for name in ("remaining", "reset"))
    if remaining is None or reset is None or remaining > 0:
        return 0.0
    if reset > 10**12:
        reset //= 1000
    # Some say in how many seconds, some say when.
    return max(float(reset if reset < 10**9 else reset - clock.timestamp()), 0.0)


def _number(text: str | None) -> int | None:
    found = _NUMBER.match(text.strip()) if text else None
    return int(found[0]) if found else None
