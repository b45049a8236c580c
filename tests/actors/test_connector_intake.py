"""What becomes of an answer: sent once, remembered once, and never lost by a stop."""

from __future__ import annotations

import hashlib

import structlog
import trio
from trio.testing import MockClock

from etl_actors.errors import PollFailed
from etl_actors.messages import Checkpoint, Claim, Extracted, Page
from etl_actors.settings import ConnectorSettings

from .test_connector import OK, ScriptedSource, actor_of, running

CHANGED = {"store": "changed"}


async def test_unchanged_body_is_not_sent_again(autojump_clock: MockClock) -> None:
    """With store = "changed" the same bytes count as success and as fresh, and go nowhere."""
    actor = actor_of(ScriptedSource(OK, OK, OK, b"{}", OK), settings=CHANGED)
    async with running(actor) as sent:
        await trio.sleep(45)
        assert [one.body for one in sent()] == [OK, b"{}", OK]
    assert (actor.statistics().polls, actor.statistics().unchanged) == (5, 2)


async def test_every_body_is_sent_when_all_are_wanted(autojump_clock: MockClock) -> None:
    """With store = "all" the same bytes are sent each time."""
    async with running(actor_of(ScriptedSource(OK))) as sent:
        await trio.sleep(25)
        assert [one.body for one in sent()] == [OK] * 3


async def test_body_of_the_last_incarnation_is_not_sent_again(autojump_clock: MockClock) -> None:
    """The committed checkpoint counts after a restart, unless url, params or mapping changed meanwhile."""
    settings = ConnectorSettings(connector_id="one", url="http://x", store="changed")
    kept = Checkpoint(
        fingerprint=settings.fingerprint(), etag='"e"', body_hash=hashlib.sha256(OK).digest(), cursor={"page": 3}
    )

    async def same(connector_id: str) -> Claim:
        return Claim(epoch=8, checkpoint=kept)

    same_source, other_source = ScriptedSource(OK), ScriptedSource(OK)
    async with running(actor_of(same_source, claim=same, settings=CHANGED)) as sent:
        await trio.sleep(1)
        assert sent() == []
    other = CHANGED | {"params": {"limit": 5}}
    async with running(actor_of(other_source, claim=same, settings=other)) as sent:
        await trio.sleep(1)
        assert [one.body for one in sent()] == [OK]
    assert same_source.checkpoints[0] == kept
    assert (other_source.checkpoints[0].etag, other_source.checkpoints[0].body_hash) == (None, None)


async def test_refused_payload_is_sent_with_its_reason_and_counts_as_failure(autojump_clock: MockClock) -> None:
    """The raw bytes go on to be kept; the checkpoint stays at the last good answer."""
    source = ScriptedSource(OK, b"<html>", OK)
    actor = actor_of(source, settings=CHANGED)
    async with running(actor) as sent:
        await trio.sleep(15)
        good, refused = sent()
        statistics = actor.statistics()
        await trio.sleep(10)
        assert sent() == []
    assert (refused.body, refused.refusal, refused.document) == (b"<html>", "this is not JSON", None)
    assert refused.checkpoint == good.checkpoint
    assert (statistics.state, statistics.last_error) == ("failing", "this is not JSON")
    assert actor.statistics().consecutive_failures == 0


async def test_same_refused_payload_is_kept_once(autojump_clock: MockClock) -> None:
    """With store = "changed" a provider that repeats the same nonsense fills no table, and keeps failing."""
    actor = actor_of(ScriptedSource(b"<html>"), settings=CHANGED)
    async with running(actor) as sent:
        await trio.sleep(35)
        assert len(sent()) == 1
        assert actor.statistics().consecutive_failures == 4


async def test_checkpoint_advances_only_with_acceptance(autojump_clock: MockClock) -> None:
    """While the next room takes nothing, what the next poll would continue from stays as it was."""
    source = ScriptedSource(OK)
    actor = actor_of(source, settings=CHANGED)
    send, receive = trio.open_memory_channel[Extracted](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor.run, send)
        await trio.sleep(100)
        assert actor._intake.checkpoint.body_hash is None
        assert len(source.checkpoints) == 1
        extracted = await receive.receive()
        await trio.sleep(11)
        assert source.checkpoints[1] == extracted.checkpoint
        nursery.cancel_scope.cancel()
    receive.close()


async def test_stop_during_the_send_loses_nothing(autojump_clock: MockClock) -> None:
    """Cancelled while the channel is full: the answer still arrives when the next room takes it within the grace."""
    actor = actor_of(ScriptedSource(OK), grace_seconds=5)
    send, receive = trio.open_memory_channel[Extracted](0)
    stop = trio.CancelScope()
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            with stop:
                await actor.run(send)

        nursery.start_soon(run)
        await trio.sleep(100)
        stop.cancel()
        await trio.sleep(4)
        bodies = [extracted.body async for extracted in receive if extracted.kind != "notice"]
    assert bodies == [OK]
    assert stop.cancelled_caught
    receive.close()


async def test_stop_is_bounded_when_nobody_takes_the_answer(autojump_clock: MockClock) -> None:
    """A next room that takes nothing costs the grace and no more, and the loss is in the log."""
    actor = actor_of(ScriptedSource(OK), grace_seconds=5)
    send, receive = trio.open_memory_channel[Extracted](0)
    with structlog.testing.capture_logs() as logs:
        began = trio.current_time()
        with trio.move_on_after(1):
            await actor.run(send)
    # One second of the answer, five of grace for it.
    assert trio.current_time() - began == 6
    assert [entry["event"] for entry in logs] == ["connector.answer_given_up"]
    receive.close()


async def test_stop_while_a_large_answer_is_worked_on_loses_nothing() -> None:
    """Hashing and decoding a large body in a worker thread is finished before the stop is heard."""
    large = b'"' + b"x" * 3_000_000 + b'"'
    stop = trio.CancelScope()

    class Stopping(ScriptedSource):
        async def poll(self, checkpoint: Checkpoint, page: Page):
            reading = await super().poll(checkpoint)
            stop.cancel()
            return reading

    send, receive = trio.open_memory_channel[Extracted](1)
    with stop:
        await actor_of(Stopping(large), settings=CHANGED).run(send)
    assert receive.receive_nowait().body == large
    receive.close()


async def test_stop_during_the_wait_or_the_poll_ends_at_once(autojump_clock: MockClock) -> None:
    """What was not read whole is not waited for."""
    for turn in (OK, 1000.0, PollFailed("no")):
        began = trio.current_time()
        with trio.move_on_after(3):
            send, receive = trio.open_memory_channel[Extracted](10)
            await actor_of(ScriptedSource(turn)).run(send)
        assert trio.current_time() - began == 3
        receive.close()
