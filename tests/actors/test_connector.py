"""A connector's life in virtual time: its schedule, its failures, what it says of itself."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import pytest
import structlog
import trio
from trio.testing import MockClock

from etl_actors.actors.connector import ConnectorActor
from etl_actors.actors.connector_status import REMEMBERED_POLLS, Tally
from etl_actors.actors.floodgate import Floodgate
from etl_actors.damage import Damage
from etl_actors.errors import PayloadRefused, PollFailed, StorageUnavailable
from etl_actors.ledger import Ledger
from etl_actors.messages import Checkpoint, Claim, Extracted, Page, Reading
from etl_actors.settings import ConnectorSettings, LimitSettings
from etl_actors.sources.backoff import Backoff
from etl_actors.sources.pacing import Limit

START = datetime(2025, 12, 8, 16, 0, 0, tzinfo=UTC)
OK = b'{"price": 1}'
WHOLE = Page()

# What a poll does: brings a body, says "not modified", fails, or takes its time first.
Turn = bytes | None | PollFailed | float


class ScriptedSource:
    """Plays turns, then the last one for ever; remembers when it was asked and with which checkpoint."""

    def __init__(self, *turns: Turn) -> None:
        self._turns = list(turns)
        self.asked_at: list[float] = []
        self.checkpoints: list[Checkpoint] = []

    async def poll(self, checkpoint: Checkpoint, page: Page = WHOLE) -> Reading | None:
        self.asked_at.append(round(trio.current_time() - BEGAN[0], 6))
        self.checkpoints.append(checkpoint)
        await trio.lowlevel.checkpoint()
        turn = self._turns.pop(0) if len(self._turns) > 1 else self._turns[0]
        if isinstance(turn, float):
            await trio.sleep(turn)
            turn = OK
        if isinstance(turn, PollFailed):
            raise turn
        if turn is None:
            return None
        return Reading(body=turn, received_at=clock(), response_time_ms=1, etag='"e"', last_modified="m")


class ErrorInspector:
    """An answer with an "error" is the provider's way to say no with a 200."""

    def provider_error(self, document: Any) -> str | None:
        return document.get("error")


BEGAN = [0.0]


def clock() -> datetime:
    return START + timedelta(seconds=trio.current_time() - BEGAN[0])


def decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise PayloadRefused("this is not JSON") from None


async def read(body: bytes) -> tuple[Any, Damage | None]:
    return decode(body), None


async def claim(connector_id: str) -> Claim:
    return Claim(epoch=7, checkpoint=Checkpoint())


def actor_of(source: ScriptedSource, *, limit: Limit | None = None, **options: Any) -> ConnectorActor:
    """An actor with the shortest of everything; ``settings`` go into its connector."""
    settings = {"connector_id": "one", "url": "http://x", "interval_seconds": 10} | options.pop("settings", {})
    defaults = {
        "read": read,
        "claim": claim,
        "backoff": Backoff(lambda low, high: high),
        "now": clock,
    }
    return ConnectorActor(ConnectorSettings(**settings), source, limit=limit, **defaults | options)


@asynccontextmanager
async def running(*actors: ConnectorActor, capacity: float = 10_000) -> AsyncIterator[Callable[[], list[Extracted]]]:
    """Runs actors; yields a function that takes what they have sent so far."""
    BEGAN[0] = trio.current_time()
    send, receive = trio.open_memory_channel[Extracted](capacity)

    def sent() -> list[Extracted]:
        found = []
        while True:
            try:
                found.append(receive.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                return [one for one in found if one.kind != "notice"]

    async with trio.open_nursery() as nursery:
        for actor in actors:
            nursery.start_soon(actor.run, send.clone())
        send.close()
        yield sent
        nursery.cancel_scope.cancel()


async def test_thousand_polls_do_not_drift(autojump_clock: MockClock) -> None:
    """Polls of varying length begin at 0, 10, 20 … 10,000 s exactly."""
    source = ScriptedSource(*[0.1 * (n % 7) for n in range(1001)], OK)
    async with running(actor_of(source)):
        await trio.sleep(10_005)
    assert source.asked_at == [pytest.approx(10 * k, abs=1e-5) for k in range(1001)]


async def test_slow_poll_skips_its_ticks(autojump_clock: MockClock) -> None:
    """A poll of 25 s costs the ticks at 10 and 20 s; there is no pile-up after it."""
    source = ScriptedSource(25.0, OK)
    async with running(actor_of(source)):
        await trio.sleep(55)
    assert source.asked_at == [0, 30, 40, 50]


async def test_stagger_moves_the_whole_schedule(autojump_clock: MockClock) -> None:
    """The first poll comes after the stagger, the others a whole interval later each."""
    source = ScriptedSource(OK)
    async with running(actor_of(source, stagger_seconds=3)):
        await trio.sleep(30)
    assert source.asked_at == [3, 13, 23]


async def test_interval_zero_polls_back_to_back(autojump_clock: MockClock) -> None:
    """As soon as one answer is handed over the next is asked for."""
    source = ScriptedSource(1.0)
    async with running(actor_of(source, settings={"interval_seconds": 0})):
        await trio.sleep(4.5)
    assert source.asked_at == [0, 1, 2, 3, 4]


async def test_stall_of_one_does_not_move_others(autojump_clock: MockClock) -> None:
    """One connector hangs and one keeps failing; the third polls at its ticks."""
    stalled, failing, healthy = ScriptedSource(1e6), ScriptedSource(PollFailed("no answer")), ScriptedSource(OK)
    actors = [
        actor_of(source, settings={"connector_id": name})
        for name, source in (("a", stalled), ("b", failing), ("c", healthy))
    ]
    async with running(*actors):
        await trio.sleep(95)
    assert healthy.asked_at == [10 * k for k in range(10)]


async def test_claim_waits_for_the_database(autojump_clock: MockClock) -> None:
    """While storage is away the connector tries again in place, and says why it does not poll."""
    attempts = []

    async def flaky(connector_id: str) -> Claim:
        attempts.append(connector_id)
        if len(attempts) < 4:
            raise StorageUnavailable("connection refused")
        return Claim(epoch=9, checkpoint=Checkpoint())

    source = ScriptedSource(OK)
    actor = actor_of(source, claim=flaky)
    async with running(actor) as sent:
        await trio.sleep(0.5)
        assert actor.statistics().state == "failing"
        assert actor.statistics().last_error == "waiting for the database: connection refused"
        await trio.sleep(3)
        assert actor.statistics().state == "running"
        assert sent()[0].epoch == 9
    assert source.asked_at == [3]


async def test_extracted_tells_what_was_read(autojump_clock: MockClock) -> None:
    """Body, document, epoch, and the checkpoint the next incarnation continues from."""
    actor = actor_of(ScriptedSource(OK), settings={"store": "changed"})
    async with running(actor) as sent:
        await trio.sleep(1)
        (extracted,) = sent()
    assert (extracted.connector_id, extracted.epoch, extracted.body) == ("one", 7, OK)
    assert extracted.document == {"price": 1}
    assert extracted.extraction_id.version == 7
    assert (extracted.checkpoint.etag, extracted.checkpoint.last_modified) == ('"e"', "m")
    assert len(extracted.checkpoint.fingerprint) == 16
    assert len(extracted.checkpoint.body_hash or b"") == 32


async def test_failures_back_off_within_bounds_at_ticks(autojump_clock: MockClock) -> None:
    """1, 2, 4, 8 s are below the interval; then 16, 32, 60, 60 s, each up to the next tick."""
    source = ScriptedSource(PollFailed("no answer within 10 s"))
    async with running(actor_of(source)):
        await trio.sleep(300)
    assert source.asked_at == [0, 10, 20, 30, 40, 60, 100, 160, 220, 280]


async def test_refusal_backs_off_to_a_quarter_of_an_hour(autojump_clock: MockClock) -> None:
    """401, 403 and 451 are asked more and more seldom, but never given up."""
    source = ScriptedSource(PollFailed("HTTP 401", refused=True))
    async with running(actor_of(source)):
        await trio.sleep(86_400)
    gaps = [later - sooner for sooner, later in zip(source.asked_at, source.asked_at[1:], strict=False)]
    assert gaps[-1] == 900
    assert max(gaps) == 900
    assert gaps == sorted(gaps)


async def test_429_with_retry_after_waits_as_told_and_alone(autojump_clock: MockClock) -> None:
    """Retry-After: 5 on a 1 s interval: silent for 5 s, while the other connector of that provider goes on."""
    limit = Limit(LimitSettings(requests_per_minute=6000))
    told = ScriptedSource(PollFailed("HTTP 429", retry_after=5), OK)
    other = ScriptedSource(OK)
    one = actor_of(told, limit=limit, settings={"connector_id": "a", "interval_seconds": 1})
    two = actor_of(other, limit=limit, settings={"connector_id": "b", "interval_seconds": 1})
    async with running(one, two):
        await trio.sleep(2.5)
        assert one.statistics().retry_after_seconds == pytest.approx(2.5)
        assert (one.statistics().state, two.statistics().state) == ("failing", "running")
        await trio.sleep(5)
    assert told.asked_at == [0, 5, 6, 7]
    assert other.asked_at == list(range(8))


async def test_ban_holds_the_whole_limit(autojump_clock: MockClock) -> None:
    """418 blocks the address: all connectors of that provider wait as told, those of others do not."""
    limit = Limit(LimitSettings(requests_per_minute=6000))
    banned = ScriptedSource(OK, PollFailed("HTTP 418", retry_after=120, banned=True), OK)
    sources = [banned, ScriptedSource(OK), ScriptedSource(OK)]
    actors = [
        actor_of(source, limit=shared, stagger_seconds=k, settings={"connector_id": f"c{k}"})
        for k, (source, shared) in enumerate(zip(sources, [limit, limit, None], strict=True))
    ]
    async with running(*actors):
        await trio.sleep(50)
        assert actors[1].statistics().state == "throttled"
        assert actors[1].statistics().next_poll == START + timedelta(seconds=130)
        await trio.sleep(95)
    assert banned.asked_at == [0, 10, 130, 140]
    assert sources[1].asked_at == [1, 130, 131, 141]
    assert len(sources[2].asked_at) == 15


async def test_shared_quota_stretches_and_shows(autojump_clock: MockClock) -> None:
    """Five calls a minute shared by three connectors at 10 s: each every 36 s, state throttled, spread evenly."""
    limit = Limit(LimitSettings(requests_per_minute=5))
    sources = [ScriptedSource(OK) for _ in range(3)]
    actors = [
        actor_of(source, limit=limit, stagger_seconds=k / 4, settings={"connector_id": f"c{k}"})
        for k, source in enumerate(sources)
    ]
    async with running(*actors):
        await trio.sleep(60)
        statistics = actors[0].statistics()
        assert (statistics.state, round(statistics.effective_interval_seconds, 3)) == ("throttled", 36)
        await trio.sleep(3540)
    assert all(99 <= len(source.asked_at) <= 101 for source in sources)
    calls = sorted(at for source in sources for at in source.asked_at)
    assert all(later - sooner > 59.9 for sooner, later in zip(calls, calls[5:], strict=False))
    # The second round is spread over the stretched interval, so nobody waits long at the gate.
    assert [source.asked_at[:3] for source in sources] == [
        [pytest.approx(first + 12 * k + k / 4, abs=0.6) for first in (-12 * k, 36, 72)] for k in range(3)
    ]


async def test_recovery_returns_to_the_schedule(autojump_clock: MockClock) -> None:
    """After failures the connector is back at its ticks, its error stays as history, and both are logged once."""
    trouble = [PollFailed(f"the answer broke off after {n} bytes") for n in (5, 77, 901)]
    actor = actor_of(ScriptedSource(OK, *trouble, OK))
    with structlog.testing.capture_logs() as logs:
        async with running(actor):
            await trio.sleep(25)
            failing = actor.statistics()
            await trio.sleep(30)
            recovered = actor.statistics()
    assert (failing.state, failing.consecutive_failures) == ("failing", 2)
    assert failing.last_error == "the answer broke off after 77 bytes"
    assert failing.last_success == START
    assert failing.next_poll == START + timedelta(seconds=30)
    assert (recovered.state, recovered.consecutive_failures) == ("running", 0)
    assert recovered.last_error_at == START + timedelta(seconds=30)
    told = [(entry["event"], entry["log_level"]) for entry in logs]
    assert told == [
        ("connector.poll_failed", "warning"),
        ("connector.poll_failed", "debug"),
        ("connector.poll_failed", "debug"),
        ("connector.recovered", "info"),
    ]


async def test_pause_stops_polling_and_resume_goes_on(autojump_clock: MockClock) -> None:
    """Paused it is silent; resumed after missed ticks it polls at once, then at its ticks."""
    source = ScriptedSource(OK)
    actor = actor_of(source)
    async with running(actor):
        await trio.sleep(5)
        actor.pause_nowait()
        assert (actor.statistics().state, actor.statistics().next_poll) == ("paused", None)
        await trio.sleep(42)
        actor.resume_nowait()
        await trio.sleep(15)
    assert source.asked_at == [0, 47, 50, 60]
    assert actor.statistics().state == "stopped"


async def test_trigger_polls_now_and_leaves_the_schedule(autojump_clock: MockClock) -> None:
    """A trigger is one more poll, in a pause too; several at once are one."""
    source = ScriptedSource(OK)
    actor = actor_of(source)
    async with running(actor):
        await trio.sleep(4)
        actor.trigger_nowait()
        actor.trigger_nowait()
        await trio.sleep(8)
        actor.pause_nowait()
        await trio.sleep(20)
        actor.trigger_nowait()
        await trio.sleep(1)
    assert source.asked_at == [0, 4, 10, 32]


async def test_provider_error_with_status_200_is_a_failure(autojump_clock: MockClock) -> None:
    """The inspector's sentence becomes the status; nothing is sent."""
    actor = actor_of(ScriptedSource(b'{"error": "over your rate limit"}'), inspector=ErrorInspector())
    async with running(actor) as sent:
        await trio.sleep(1)
        assert sent() == []
        assert actor.statistics().last_error == "over your rate limit"


async def test_clock_jumps_do_not_move_polls(autojump_clock: MockClock) -> None:
    """The wall clock is for people; it may jump by a day without moving a poll or making data stale."""
    source, jump = ScriptedSource(OK), timedelta()
    actor = actor_of(source, now=lambda: clock() + jump, settings={"stale_after_seconds": 60})
    async with running(actor):
        await trio.sleep(15)
        jump = timedelta(days=-1)
        await trio.sleep(20)
        assert not actor.statistics().stale
        assert actor.statistics().next_poll == START + timedelta(days=-1, seconds=40)
    assert source.asked_at == [0, 10, 20, 30]


async def test_stale_counts_from_the_last_success_or_the_start(autojump_clock: MockClock) -> None:
    """No success for longer than stale_after_seconds is stale; a 304 is fresh."""
    stale = {"stale_after_seconds": 25}
    never = actor_of(ScriptedSource(PollFailed("no")), settings=stale)
    unmodified = actor_of(ScriptedSource(OK, None), settings=stale)
    async with running(never, unmodified):
        await trio.sleep(24)
        assert not never.statistics().stale
        await trio.sleep(10)
        assert never.statistics().stale
        assert not unmodified.statistics().stale


async def test_latencies_and_counts_are_of_answers(autojump_clock: MockClock) -> None:
    """p50 and p99 of the polls that brought something; a 304 is one of them, a failure is not."""
    source = ScriptedSource(*[0.01 * n for n in range(1, 100)], None, PollFailed("no"))
    actor = actor_of(source)
    async with running(actor):
        await trio.sleep(1005)
    statistics = actor.statistics()
    assert (statistics.polls, statistics.unchanged, statistics.consecutive_failures) == (101, 1, 1)
    assert statistics.latency_p50_ms == pytest.approx(490)
    assert statistics.latency_p99_ms == pytest.approx(980)


def test_percentiles_are_those_of_the_newest_polls() -> None:
    """What is older than the last 500 is forgotten, however often it came."""
    tally = Tally(None, lambda: datetime.now(UTC))
    newest: deque[float] = deque(maxlen=REMEMBERED_POLLS)
    for number in range(3 * REMEMBERED_POLLS):
        latency = number * 7919 % 101 / 1000
        tally.remember(latency)
        newest.append(latency * 1000)
    for share in (0.01, 0.5, 0.99, 1.0):
        assert tally.latency_ms(share) == round(sorted(newest)[ceil(share * len(newest)) - 1], 3)


async def test_failures_are_counted_for_good_and_answers_timed(autojump_clock: MockClock) -> None:
    """A recovery ends those in a row, not the count of all."""
    answers: list[tuple[str, float]] = []
    actor = actor_of(
        ScriptedSource(PollFailed("no"), PollFailed("no"), 0.25, OK),
        on_answer=lambda name, took: answers.append((name, took)),
    )
    async with running(actor):
        await trio.sleep(100)
    statistics = actor.statistics()
    assert (statistics.failures, statistics.consecutive_failures) == (2, 0)
    assert answers[0] == (actor.connector_id, pytest.approx(0.25))
    assert len(answers) == statistics.polls - 2


async def test_crash_of_a_source_leaves_as_it_is(autojump_clock: MockClock) -> None:
    """What nobody planned goes to the supervisor; the next run claims again and keeps the counts."""

    class Crashing(ScriptedSource):
        async def poll(self, checkpoint: Checkpoint, page: Page = WHOLE) -> Reading | None:
            if len(self.asked_at) == 1:
                self.asked_at.append(-1)
                raise ZeroDivisionError
            return await super().poll(checkpoint)

    actor, limit = None, Limit(LimitSettings(requests_per_minute=600))
    actor = actor_of(Crashing(OK), limit=limit)
    send, receive = trio.open_memory_channel[Extracted](100)
    with pytest.raises(ZeroDivisionError):
        await actor.run(send.clone())
    assert actor.statistics().state == "failing"
    assert actor.statistics().last_error == "it crashed (ZeroDivisionError) and is started again"
    with pytest.raises(KeyError):
        limit.effective_interval("one")
    with trio.move_on_after(5):
        await actor.run(send.clone())
    assert actor.statistics().polls == 2
    receive.close()
    send.close()


async def test_a_new_incarnation_claims_when_what_the_last_one_read_is_stored(autojump_clock: MockClock) -> None:
    """A claim ends the epoch before, and what is under way under it would be refused."""
    ledger, claimed_at = Ledger(), list[float]()

    async def claiming(connector_id: str) -> Claim:
        claimed_at.append(trio.current_time() - BEGAN[0])
        return Claim(epoch=len(claimed_at), checkpoint=Checkpoint())

    actor = actor_of(ScriptedSource(OK), claim=claiming, ledger=ledger)
    async with running(actor) as sent:
        await trio.sleep(5)
        (read,) = sent()
        assert (ledger.under_way("one"), actor.epoch) == (1, 1)
    async with running(actor):
        await trio.sleep(5)
        assert len(claimed_at) == 1
        ledger.settle(read.extraction_id, None)
        await trio.sleep(1)
        assert (claimed_at[1], actor.epoch) == (5, 2)


async def test_nobody_is_asked_while_there_is_no_room_for_the_answer(autojump_clock: MockClock) -> None:
    """It says why, and goes on by itself."""
    gate, source = Floodgate(), ScriptedSource(OK)
    actor = actor_of(source, floodgate=gate)
    async with running(actor):
        await trio.sleep(15)
        gate.close_nowait("the spool is full")
        await trio.sleep(50)
        assert len(source.asked_at) == 2
        assert (actor.statistics().state, actor.statistics().next_poll) == ("paused", None)
        gate.open_nowait()
        await trio.sleep(30)
        assert actor.statistics().state == "running"
    assert source.asked_at == pytest.approx([0, 10, 65, 70, 80, 90])
