"""Where the years that the original's rows span are cut into partitions. Pure.

About as many rows in each, so that retention by bytes can drop the oldest in steps, and few of them, however long the
history is. The last ends where the takeover began: what is written from then on gets partitions of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

PARTS = 24

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def shares() -> list[float]:
    """The quantiles to ask for, of all times there are."""
    return [part / PARTS for part in range(PARTS + 1)]


def cut_history(quantiles: Sequence[datetime], began: datetime) -> list[datetime]:
    """The bounds of the partitions, rising; each is the end of one and the start of the next.

    ``quantiles``: times of rows at equal shares, the first and the last time among them; none when no row has a time.
    Rows of a clock that runs ahead of ``began`` get hourly partitions, which live rows will share.
    """
    now = _floor(began, _MINUTE) + _MINUTE
    first, last = (min(quantiles), max(quantiles)) if quantiles else (began, began)
    grain = _grain(last - first)
    bounds = {_floor(at, grain) for at in quantiles if at < now} | {_floor(min(first, began), grain)}
    bounds.add(min(_floor(last, grain) + grain, now))
    while last >= max(bounds):
        bounds.add(_floor(max(bounds), _HOUR) + _HOUR)
    return sorted(bounds)


def _grain(span: timedelta) -> timedelta:
    """What bounds are rounded to: partitions are easier to read about when they begin at midnight."""
    if span > 2 * PARTS * _DAY:
        return _DAY
    return _HOUR if span > 2 * PARTS * _HOUR else _MINUTE


def _floor(at: datetime, grain: timedelta) -> datetime:
    return _EPOCH + (at - _EPOCH) // grain * grain
