"""When a folder is read: not while somebody writes."""

from __future__ import annotations

from collections.abc import Sequence

import trio
from trio.testing import MockClock

from etl_actors.reloading.settling import settled
from etl_actors.reloading.sight import Seen, Sight

BEFORE: dict[str, Seen] = {"a": (0, 1, 10, 0), "b": (0, 2, 10, 0)}
GONE: dict[str, Seen] = {"b": (0, 2, 10, 0)}
EMPTY: dict[str, Seen] = BEFORE | {"a": (0, 1, 0, 1)}
SAVED: dict[str, Seen] = BEFORE | {"a": (0, 3, 12, 2)}


async def seconds_until(*changes: tuple[float, dict[str, Seen]]) -> tuple[float, dict[str, Seen]]:
    """When it is settled and what is seen then, where each of ``changes`` is seen from its moment on."""
    begun = trio.current_time()

    async def look() -> Sight:
        await trio.lowlevel.checkpoint()
        now = trio.current_time() - begun
        return Sight([files for at, files in changes if at <= now][-1])

    seen = await settled(look, Sight(BEFORE))
    return trio.current_time() - begun, seen.files


def burst(many: int, apart: float) -> Sequence[tuple[float, dict[str, Seen]]]:
    """So many changes of a file."""
    return [(number * apart, BEFORE | {"a": (0, 1, 10 + number, number)}) for number in range(many)]


async def test_a_burst_is_one_change(autojump_clock: MockClock) -> None:
    """It is read when it is over, in its last state."""
    changes = burst(5, 0.06)
    at, seen = await seconds_until(*changes)
    assert seen == changes[-1][1]
    assert 0.24 < at < 0.5


async def test_who_writes_without_end_is_read_all_the_same(autojump_clock: MockClock) -> None:
    """After half a second."""
    at, _ = await seconds_until(*burst(1000, 0.06))
    assert 0.5 <= at < 0.7


async def test_a_file_that_is_gone_or_empty_is_waited_for(autojump_clock: MockClock) -> None:
    """While somebody saves it, it is; only after a whole second it is meant."""
    for away in (GONE, EMPTY):
        at, seen = await seconds_until((0, away), (0.9, SAVED))
        assert seen == SAVED
        assert at < 1.2
        at, seen = await seconds_until((0, away))
        assert seen == away
        assert at >= 1
    # One that goes while others are written does not make it longer.
    at, seen = await seconds_until((0, BEFORE), *[(0.1 * n, GONE | {"c": (0, 4, n, n)}) for n in range(1, 90)])
    assert "a" not in seen
    assert at < 1.5
