"""Waiting for a database: pauses that grow and vary, reasons that are told seldom, and errors that end it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog.testing
import trio

from etl_actors.errors import ServiceFailed, StorageUnavailable
from etl_actors.patience import LONGEST_PAUSE_SECONDS, TOLD_AGAIN_SECONDS, Patience


class Absent:
    """What is there only after ``until`` seconds; remembers when it was tried."""

    def __init__(self, until: float, error: Exception | None = None) -> None:
        self.began = trio.current_time()
        self.until = until
        self.error = error
        self.tried: list[float] = []

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[str]:
        now = trio.current_time() - self.began
        self.tried.append(now)
        if now < self.until:
            raise StorageUnavailable("refused")
        if self.error is not None:
            raise self.error
        yield "there"


def longest(low: float, high: float) -> float:
    """The jitter at its longest, so that times are known."""
    assert low == 0
    return high


def silent(step: str) -> None:
    """Nobody looks."""


async def test_pauses_grow_to_a_bound(autojump_clock: Any) -> None:
    """They double, and go on at the longest for as long as it takes."""
    absent = Absent(until=30)
    async with Patience(silent, draw=longest).opened(absent) as found:
        assert found == "there"
    pauses = [later - earlier for earlier, later in zip(absent.tried, absent.tried[1:], strict=False)]
    assert pauses[:3] == pytest.approx([0.5, 1.0, 2.0])
    assert pauses[3:] == pytest.approx([LONGEST_PAUSE_SECONDS] * len(pauses[3:]))


async def test_the_reason_is_told_seldom(autojump_clock: Any) -> None:
    """At first, and then once in a while; progress is told once, and the end of it once."""
    steps: list[str] = []
    patience = Patience(steps.append)
    assert patience.reason() == "the service is starting"
    with structlog.testing.capture_logs() as said:
        async with patience.opened(Absent(until=TOLD_AGAIN_SECONDS * 2.5)):
            assert patience.reason() == "the service is starting"
    assert [one["event"] for one in said] == ["service.database_awaited"] * 3 + ["service.database_found"]
    assert steps == ["waiting for the database"]


async def test_what_can_never_work_is_not_waited_for(autojump_clock: Any) -> None:
    """Whenever that shows."""
    with pytest.raises(ServiceFailed):
        async with Patience(silent).opened(Absent(until=10, error=ServiceFailed("too old"))):
            pass


async def test_what_happens_later_is_no_reason_to_open_again(autojump_clock: Any) -> None:
    """A database that goes away from a running service is not the beginning."""
    absent = Absent(until=0)
    with pytest.raises(StorageUnavailable, match="gone"):
        async with Patience(silent).opened(absent):
            raise StorageUnavailable("gone")
    assert len(absent.tried) == 1


async def test_a_database_that_is_being_prepared_is_not_waited_for(autojump_clock: Any) -> None:
    """A takeover may last for hours, and is no reason to look for a server that is away."""
    patience = Patience(silent)

    @asynccontextmanager
    async def prepared() -> AsyncIterator[None]:
        patience.note_step("preparing the database")
        said.append(patience.reason())
        yield

    absent, said = Absent(until=3), []

    @asynccontextmanager
    async def opening() -> AsyncIterator[None]:
        said.append(patience.reason())
        async with absent(), prepared():
            yield

    async with patience.opened(opening):
        pass
    assert said[0] == said[-1] == "the service is starting"
    assert set(said[1:-1]) == {"the database does not answer, and is waited for"}
