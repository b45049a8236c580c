"""Storage is asked until it answers, or until it is time to take no for an answer."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from etl_actors.actors.loader_patience import SILENCE_SECONDS, Patience
from etl_actors.errors import StorageUnavailable


class Asked:
    """Answers after so many seconds, another time for each question; then at once."""

    def __init__(self, *seconds: float) -> None:
        self.began: list[float] = []
        self._seconds = list(seconds)

    async def __call__(self) -> str:
        self.began.append(trio.current_time())
        if self._seconds:
            await trio.sleep(self._seconds.pop(0))
        return "there"


async def test_a_question_that_nobody_answers_is_asked_again(autojump_clock: Any) -> None:
    """Also by whoever waits for ever: the line may be dead, and the next one is not."""
    asked, patience = Asked(1e9), Patience()
    assert await patience.ask(asked, for_ever=True) == "there"
    assert SILENCE_SECONDS < trio.current_time() - asked.began[0] < SILENCE_SECONDS + 1
    assert len(asked.began) == 2
    assert patience.last_error is None


async def test_what_takes_long_comes_to_its_end(autojump_clock: Any) -> None:
    """Each time it has twice as long, whatever that comes to."""
    asked = Asked(*[90.0] * 9)
    assert await Patience().ask(asked, for_ever=True) == "there"
    assert len(asked.began) == 6  # 5, 10, 20, 40, 80 and 160 seconds


async def test_others_take_no_for_an_answer(autojump_clock: Any) -> None:
    """After the first silence."""
    asked = Asked(1e9)
    with pytest.raises(StorageUnavailable, match="it said nothing for 5 s"):
        await Patience().ask(asked, for_ever=False)
    assert len(asked.began) == 1
    assert trio.current_time() - asked.began[0] == pytest.approx(SILENCE_SECONDS)
