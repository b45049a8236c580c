"""What connectors say of themselves, in virtual time: each change once, in order with the data, and never a flood."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from etl_actors.actors.connector import ConnectorActor
from etl_actors.actors.notices import RUNS_WELL, SPACING_SECONDS, Condition, Notices
from etl_actors.errors import PollFailed, StorageUnavailable
from etl_actors.ledger import Ledger
from etl_actors.messages import Checkpoint, Claim, Extracted, Gap, Page, Reading
from etl_actors.settings import LimitSettings
from etl_actors.sources.pacing import Limit

from .test_connector import OK, WHOLE, ScriptedSource, actor_of, clock

Said = tuple[str, str | None, bool]


class Heard:
    """Everything an actor sent, with the second at which it came."""

    def __init__(self) -> None:
        self.began = trio.current_time()
        self.messages: list[tuple[float, Extracted]] = []

    def statuses(self) -> list[Said]:
        """State, reason and staleness of every notice of a status."""
        bodies = [json.loads(one.body) for _, one in self.messages if one.message_type == "connector_status"]
        assert all(list(body) == ["state", "reason", "stale"] for body in bodies)
        return [(body["state"], body["reason"], body["stale"]) for body in bodies]

    def times(self) -> list[float]:
        """When they came."""
        return [at for at, one in self.messages if one.message_type == "connector_status"]


@asynccontextmanager
async def hearing(*actors: ConnectorActor) -> AsyncIterator[tuple[Heard, Callable[[], None]]]:
    """While actors run: what they send, and a function that ends them."""
    heard = Heard()
    send, receive = trio.open_memory_channel[Extracted](0)

    async def hear() -> None:
        async for message in receive:
            heard.messages.append((round(trio.current_time() - heard.began, 3), message))

    async with trio.open_nursery() as ears, receive:
        ears.start_soon(hear)
        async with trio.open_nursery() as nursery, send:
            for actor in actors:
                nursery.start_soon(actor.run, send.clone())
            yield heard, nursery.cancel_scope.cancel


async def test_a_change_is_said_once_behind_the_data_it_speaks_of(autojump_clock: MockClock) -> None:
    """A start without trouble is silent; failing with the first failure, other reasons are no news, running again."""
    troubles = [PollFailed("HTTP 500"), PollFailed("no answer within 10 s"), PollFailed("HTTP 503")]
    async with hearing(actor_of(ScriptedSource(OK, OK, *troubles, OK))) as (heard, end):
        await trio.sleep(75)
        end()
    assert heard.statuses() == [("failing", "HTTP 500", False), ("running", None, False)]
    assert heard.times() == [20, 50]
    kinds = [one.kind for _, one in heard.messages]
    assert kinds == ["response", "response", "notice", "response", "notice", "response", "response"]
    said = heard.messages[2][1]
    assert (said.epoch, said.connector_id, said.checkpoint) == (7, "one", Checkpoint())


async def test_a_connector_that_never_answered_says_only_that_it_fails(autojump_clock: MockClock) -> None:
    """Once, however long; that the service stops is no state of a connector."""
    async with hearing(actor_of(ScriptedSource(PollFailed("HTTP 401", refused=True)))) as (heard, end):
        await trio.sleep(300)
        end()
    assert [state for state, *_ in heard.statuses()] == ["failing"]


async def test_stale_is_said_when_it_is_and_when_it_is_over(autojump_clock: MockClock) -> None:
    """After stale_after_seconds without anything fresh, to the second, whatever the state is meanwhile."""
    source = ScriptedSource(OK, PollFailed("HTTP 500"), PollFailed("HTTP 500"), PollFailed("HTTP 500"), OK, 1e6)
    async with hearing(actor_of(source, settings={"stale_after_seconds": 25})) as (heard, end):
        await trio.sleep(100)
        told, times = heard.statuses(), heard.times()
        end()
    assert told == [
        ("failing", "HTTP 500", False),
        ("failing", "stale: nothing fresh for 25 s; HTTP 500", True),
        ("running", None, False),
        ("running", "stale: nothing fresh for 25 s", True),
    ]
    assert times == [10, 25, 40, 65]


async def test_a_provider_that_never_answers_makes_a_connector_stale(autojump_clock: MockClock) -> None:
    """Although no poll has failed yet."""
    async with hearing(actor_of(ScriptedSource(1e6), settings={"stale_after_seconds": 25})) as (heard, end):
        await trio.sleep(60)
        end()
    assert heard.statuses()[0] == ("running", "stale: nothing fresh for 25 s", True)
    assert heard.times()[0] == 25


async def test_a_flapping_connector_is_no_flood(autojump_clock: MockClock) -> None:
    """Ten changes a second: at most one notice a second, none that repeats the one before, and the last one is true."""

    class Flapping(ScriptedSource):
        async def poll(self, checkpoint: Checkpoint, page: Page = WHOLE) -> Reading | None:
            await trio.sleep(0.1)
            if len(self.asked_at) % 2 and len(self.asked_at) < 1000:
                self.asked_at.append(0)
                raise PollFailed("HTTP 500", retry_after=0.001)
            return await super().poll(checkpoint)

    actor = actor_of(Flapping(OK), settings={"interval_seconds": 0})
    async with hearing(actor) as (heard, end):
        await trio.sleep(150)
        states, times = [state for state, *_ in heard.statuses()], heard.times()
        assert states[-1] == actor.statistics().state == "running"
        end()
    assert all(later - sooner >= SPACING_SECONDS for sooner, later in pairwise(times))
    assert all(one != other for one, other in pairwise(states))
    assert len(states) > 5


async def test_pause_resume_and_the_end_are_said_with_their_reasons(autojump_clock: MockClock) -> None:
    """Somebody paused it; somebody deletes it."""
    actor = actor_of(ScriptedSource(OK))
    async with hearing(actor) as (heard, end):
        await trio.sleep(5)
        actor.pause_nowait()
        await trio.sleep(5)
        actor.resume_nowait()
        await trio.sleep(5)
        actor.part_nowait("it is deleted")
        end()
    assert heard.statuses() == [
        ("paused", "it was paused; resume it to poll on", False),
        ("running", None, False),
        ("stopped", "it is deleted", False),
    ]


async def test_a_crash_is_said_and_so_is_the_next_life(autojump_clock: MockClock) -> None:
    """What the supervisor sees leaves as it is, and not wrapped."""

    class Crashing(ScriptedSource):
        async def poll(self, checkpoint: Checkpoint, page: Page = WHOLE) -> Reading | None:
            if len(self.asked_at) == 1:
                self.asked_at.append(-1)
                raise ZeroDivisionError("a secret")
            return await super().poll(checkpoint)

    actor = actor_of(Crashing(OK))
    send, receive = trio.open_memory_channel[Extracted](100)
    with pytest.raises(ZeroDivisionError):
        await actor.run(send.clone())
    with trio.move_on_after(15):
        await actor.run(send)
    said = [json.loads(one.body) async for one in receive if one.kind == "notice"]
    assert [one["state"] for one in said] == ["failing", "running"]
    assert said[0]["reason"] == "it crashed (ZeroDivisionError) and is started again"
    receive.close()


async def test_a_held_limit_is_said_when_the_connector_meets_it(autojump_clock: MockClock) -> None:
    """Another connector of the provider was banned: this one waits at the gate, and says so; then it runs on."""
    limit = Limit(LimitSettings(requests_per_minute=6000))
    banned = ScriptedSource(OK, PollFailed("HTTP 418", retry_after=120, banned=True), OK)
    one = actor_of(banned, limit=limit)
    two = actor_of(ScriptedSource(OK), limit=limit, stagger_seconds=5, settings={"connector_id": "two"})
    async with hearing(one, two) as (heard, end):
        await trio.sleep(200)
        told = [(at, json.loads(said.body)) for at, said in heard.messages if said.connector_id == "two"]
        end()
    said = [(at, body["state"], body["reason"]) for at, body in told if "state" in body]
    assert said == [
        (15, "throttled", "the provider's limit lets nobody through for 115 s more"),
        (pytest.approx(130, abs=1), "running", None),
    ]


async def test_answers_that_cannot_be_mapped_make_it_failing(autojump_clock: MockClock) -> None:
    """What the transformer knows is asked for when it says that it changed."""
    trouble: list[str] = []
    actor = actor_of(ScriptedSource(OK), unmapped=lambda connector_id: trouble[0] if trouble else None)
    async with hearing(actor) as (heard, end):
        await trio.sleep(3)
        trouble.append("3 elements were rejected: no list")
        actor.look_again_nowait()
        await trio.sleep(3)
        trouble.clear()
        actor.look_again_nowait()
        await trio.sleep(3)
        end()
    assert heard.statuses() == [
        ("failing", "3 elements were rejected: no list", False),
        ("running", None, False),
    ]


async def test_nothing_is_said_under_nobodys_epoch(autojump_clock: MockClock) -> None:
    """Until the claim the connector is not ours; the database that is away would not take it either."""
    attempts = []

    async def flaky(connector_id: str) -> Claim:
        attempts.append(connector_id)
        if len(attempts) < 4:
            raise StorageUnavailable("connection refused")
        return Claim(epoch=9, checkpoint=Checkpoint())

    actor = actor_of(ScriptedSource(PollFailed("HTTP 500")), claim=flaky)
    async with hearing(actor) as (heard, end):
        await trio.sleep(2.5)
        assert actor.statistics().state == "failing"
        assert heard.messages == []
        await trio.sleep(3)
        end()
    assert heard.statuses() == [("failing", "HTTP 500", False)]
    assert {one.epoch for _, one in heard.messages} == {9}


async def test_what_was_told_before_a_restart_is_taken_back(autojump_clock: MockClock) -> None:
    """A connector that failed when the service was killed is said to run when it does, and not before."""

    async def claim(connector_id: str) -> Claim:
        told = {"state": "failing", "reason": "HTTP 500", "stale": True}
        return Claim(epoch=2, checkpoint=Checkpoint(), told=told)

    async with hearing(actor_of(ScriptedSource(5.0, OK), claim=claim)) as (heard, end):
        await trio.sleep(20)
        end()
    assert (heard.statuses(), heard.times()) == ([("running", None, False)], [5])


async def test_nonsense_in_the_place_of_what_was_told_is_not_believed(autojump_clock: MockClock) -> None:
    """Nor does it keep the connector from running."""
    for nonsense in ("x", 7, [], {"state": "asleep"}):

        async def claim(connector_id: str, told: Any = nonsense) -> Claim:
            return Claim(epoch=2, checkpoint=Checkpoint(), told=told)

        async with hearing(actor_of(ScriptedSource(OK), claim=claim)) as (heard, end):
            await trio.sleep(5)
            end()
        assert [one.kind for _, one in heard.messages] == ["response"]


async def test_a_full_channel_costs_one_second_at_the_end_and_leaves_no_trace(autojump_clock: MockClock) -> None:
    """The last word is given up then, and nobody waits for it to be stored."""
    ledger = Ledger()
    notices = Notices(
        "one", look=lambda: Condition(state="stopped"), stale_at=lambda: 1e9, epoch=lambda: 1, ledger=ledger
    )
    send, receive = trio.open_memory_channel[Extracted](0)
    await notices.say_last(send)
    assert trio.current_time() == 1
    assert ledger.under_way("one") == 0
    send.close()
    receive.close()


async def test_a_gap_is_a_notice_that_a_stop_does_not_lose(autojump_clock: MockClock) -> None:
    """Its data is key, from and to, exactly; the sending is finished on borrowed time."""
    ledger = Ledger()
    notices = Notices("one", look=lambda: None, stale_at=lambda: 1e9, epoch=lambda: 4, ledger=ledger, now=clock)
    send, receive = trio.open_memory_channel[Extracted](0)
    heard: list[Any] = []

    async def say() -> None:
        with trio.move_on_after(5):
            await notices.say_gap(Gap(key="BTCUSDT", first=2**64 - 2, last=2**64 - 1), send)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(say)
        await trio.sleep(5.5)
        heard.append(await receive.receive())
    (gap,) = heard
    assert (gap.kind, gap.message_type, gap.epoch) == ("notice", "gap", 4)
    assert gap.body == b'{"key":"BTCUSDT","from":18446744073709551614,"to":18446744073709551615}'
    assert ledger.under_way("one") == 1
    send.close()
    receive.close()


steps = st.lists(
    st.tuples(st.floats(0.01, 3), st.sampled_from(["running", "failing", "throttled", "paused"]), st.booleans()),
    max_size=12,
)


@given(steps)
def test_whatever_changes_when_the_notices_tell_the_truth_and_no_more(changes: Any) -> None:
    """Never twice the same, never sooner than the spacing, each true when it was said, and the last one still is."""
    told: list[tuple[float, Condition]] = []

    async def live() -> None:
        now = before = Condition(state="running")
        changed_at = trio.current_time()
        notices = Notices("one", look=lambda: now, stale_at=lambda: 1e9, epoch=lambda: 1)
        send, receive = trio.open_memory_channel[Extracted](0)

        async def hear() -> None:
            async for message in receive:
                body = json.loads(message.body)
                told.append((trio.current_time(), Condition(**body)))
                # A change of this very instant may have come behind the look.
                assert told[-1][1] == now or (told[-1][1] == before and changed_at == trio.current_time())

        async def work(_send: Any) -> None:
            nonlocal now, before, changed_at
            for pause, state, stale in changes:
                await trio.sleep(pause)
                before, now = now, Condition(state=state, stale=stale)
                changed_at = trio.current_time()
                notices.look_again_nowait()
            await trio.sleep(3)
            assert (told[-1][1] if told else RUNS_WELL) == now

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear)
            async with send:
                await notices.tell_beside(work, send)

    trio.run(live, clock=MockClock(autojump_threshold=0))
    assert all(b[0] - a[0] >= SPACING_SECONDS - 1e-9 for a, b in pairwise(told))
    assert all(b[1] != a[1] for a, b in pairwise(told))
