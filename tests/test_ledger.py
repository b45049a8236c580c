"""What is under way is known until it is settled, and can be waited for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import trio

from etl_actors.ledger import Ledger
from etl_actors.messages import Event


def event(event_id: UUID) -> Event:
    """Some entry of the log."""
    return Event(
        offset=7, event_id=event_id, type="price_update", connector_id="a", timestamp=datetime.now(UTC), encoded=b"{}"
    )


async def test_a_wait_ends_when_all_of_that_connector_is_settled(autojump_clock: Any, nursery: trio.Nursery) -> None:
    """Others do not count, and neither does what comes later."""
    ledger = Ledger()
    first, second, other, later = (uuid4() for _ in range(4))
    settlement = ledger.accept(first, "a")
    ledger.accept(second, "a")
    ledger.accept(other, "b")
    ended: list[float] = []

    async def wait() -> None:
        await ledger.wait_settled("a")
        ended.append(trio.current_time())

    nursery.start_soon(wait)
    await trio.sleep(1)
    ledger.accept(later, "a")
    ledger.settle(first, event(first))
    await trio.sleep(1)
    assert (ended, ledger.under_way("a")) == ([], 2)
    ledger.withdraw(second)
    await trio.sleep(1)
    assert len(ended) == 1
    settled = await settlement.wait()
    assert settled is not None
    assert settled.offset == 7
    ledger.settle(uuid4(), None)  # nothing of ours


async def test_nothing_under_way_is_no_wait(autojump_clock: Any) -> None:
    """At once."""
    await Ledger().wait_settled("a")
