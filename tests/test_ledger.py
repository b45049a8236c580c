"""What is under way is known until it is settled, and can be waited for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import trio
import trio.testing

from etl_actors.ledger import LARGE_BYTES, MOST_LARGE_BYTES, Ledger
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


async def test_what_is_large_waits_until_there_is_room(autojump_clock: Any, nursery: trio.Nursery) -> None:
    """Small ones do not, and one that is larger than all the room there is comes by itself."""
    ledger = Ledger()
    sizes = {"half": MOST_LARGE_BYTES // 2, "most": MOST_LARGE_BYTES - LARGE_BYTES, "huge": MOST_LARGE_BYTES * 2}
    ids = {name: uuid4() for name in (*sizes, "small")}
    let_in: list[str] = []

    async def hand_on(name: str, size: int) -> None:
        ledger.accept(ids[name], "a")
        await ledger.wait_room(ids[name], size)
        let_in.append(name)

    for name, size in (sizes | {"small": LARGE_BYTES - 1}).items():
        nursery.start_soon(hand_on, name, size)
        await trio.testing.wait_all_tasks_blocked()
    assert let_in == ["half", "small"]
    assert ledger.large_bytes == sizes["half"]
    for leaving, entering in (("half", "most"), ("small", None), ("most", "huge"), ("huge", None)):
        ledger.refuse(ids[leaving], "why") if leaving == "half" else ledger.settle(ids[leaving], None)
        await trio.testing.wait_all_tasks_blocked()
        assert let_in[-1] == (entering or let_in[-1])
        assert ledger.large_bytes == sizes.get(entering or "", ledger.large_bytes)
    assert let_in == ["half", "small", "most", "huge"]
    assert ledger.large_bytes == 0
