"""Changes of one connector, one after the other."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from etl_actors.errors import StorageUnavailable
from etl_actors.roster_turns import Turns


async def test_who_waited_behind_an_absent_database_is_told_at_once(autojump_clock: Any) -> None:
    """All of them, after the ten seconds of the first; who comes later tries again."""
    turns, told = Turns(), []

    async def ask() -> None:
        async with turns.of("one"):
            await trio.sleep(10)
            raise StorageUnavailable("it does not answer")

    async def change() -> None:
        with pytest.raises(StorageUnavailable, match="it does not answer"):
            await ask()
        told.append(trio.current_time())

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(change)
    assert [at - began for at in told] == pytest.approx([10] * 5)
    async with turns.of("one"):
        pass


async def test_only_changes_of_the_same_connector_wait(autojump_clock: Any) -> None:
    """And what went wrong otherwise is nobody else's trouble."""
    turns, order = Turns(), []

    async def change(connector_id: str, seconds: float) -> None:
        async with turns.of(connector_id):
            await trio.sleep(seconds)
            order.append((connector_id, seconds))

    async def ask() -> None:
        async with turns.of("one"):
            await trio.sleep(1)
            raise ValueError("wrong")

    async def fail() -> None:
        with pytest.raises(ValueError, match="wrong"):
            await ask()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(change, "one", 2)
        nursery.start_soon(change, "two", 1)
    assert order == [("two", 1), ("one", 2)]
