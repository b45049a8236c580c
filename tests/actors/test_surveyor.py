"""Symbol tables stay fresh, and a source that does not answer costs nothing but freshness."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import trio

from etl_actors.actors.surveyor import Pairs, Surveyor
from etl_actors.errors import PollFailed, StorageUnavailable
from etl_actors.messages import Checkpoint, Reading

from .parts import RECEIVED


class Answers:
    """A source that gives these in turn, the last one for ever; remembers what it was asked with, and when."""

    def __init__(self, *answers: bytes | PollFailed | None) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[float, Checkpoint]] = []

    async def poll(self, checkpoint: Checkpoint) -> Reading | None:
        self.asked.append((trio.current_time(), checkpoint))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, PollFailed):
            raise answer
        return None if answer is None else Reading(body=answer, received_at=RECEIVED, response_time_ms=1, etag='"1"')


async def keep(pairs: Pairs, at: datetime) -> None:
    """A store that takes everything."""


def surveyor(source: Answers, publish: Callable[[Pairs], None], store: Any = keep) -> Surveyor:
    """A surveyor that refreshes every hour."""
    return Surveyor(
        "binance",
        source,
        read=lambda body: msgspec.json.decode(body, type=dict[str, tuple[str, str]]),
        publish=publish,
        store=store,
        admit=trio.lowlevel.checkpoint,
        refresh_seconds=3600,
        fingerprint=b"f",
    )


async def test_the_table_is_published_and_asked_for_again_every_refresh(autojump_clock: Any) -> None:
    """With the ETag of the last answer; an unchanged one publishes nothing."""
    published: list[Pairs] = []
    source = Answers(b'{"BTCUSDT":["BTC","USDT"]}', None)
    keeper = surveyor(source, published.append)
    with trio.move_on_after(2.5 * 3600):
        await keeper.run()
    assert published == [{"BTCUSDT": ("BTC", "USDT")}]
    assert [checkpoint.etag for _, checkpoint in source.asked] == [None, '"1"', '"1"']
    assert keeper.statistics().pairs == 1


async def test_whoever_waits_for_the_table_goes_on_after_the_first_attempt(autojump_clock: Any) -> None:
    """Also when it failed: then what was stored or shipped serves, and the next attempt comes soon."""
    source = Answers(PollFailed("no answer within 20 s"), b"{}")
    keeper = surveyor(source, lambda pairs: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run)
        await keeper.ready.wait()
        assert keeper.statistics().last_error == "no answer within 20 s"
        await trio.sleep(60)
        nursery.cancel_scope.cancel()
    assert keeper.statistics().last_error is None
    assert source.asked[1][0] - source.asked[0][0] == 5


async def test_a_table_that_cannot_be_stored_still_serves(autojump_clock: Any) -> None:
    """It is published all the same."""

    async def away(pairs: Pairs, at: datetime) -> None:
        raise StorageUnavailable("no connection")

    published: list[Pairs] = []
    with trio.move_on_after(1):
        await surveyor(Answers(b"{}"), published.append, away).run()
    assert published == [{}]
