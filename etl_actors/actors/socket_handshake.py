"""The steps that a stream asks for before it flows: each is said, and its answer waited for, in order.

Frames that come meanwhile and are no answer are data like any other. The time that a step allows counts only while we
wait for the provider, not while the next rooms take what it sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import trio

from ..errors import PollFailed
from ..settings import HandshakeStep
from ..settings.streams import messages_of
from .socket_intake import Frame, FrameIntake
from .socket_needs import FrameRules

_SHOWN = 200


async def shake_hands(
    steps: Sequence[HandshakeStep],
    rules: FrameRules,
    intake: FrameIntake,
    *,
    say: Callable[[str], Awaitable[None]],
    listen: Callable[[], Awaitable[Frame]],
    keep: Callable[[Frame], Awaitable[None]],
) -> None:
    """Goes through ``steps``; :class:`PollFailed` tells which was refused or not answered, and the provider's words."""
    for place, step in enumerate(steps):
        messages = messages_of(step)
        for text in messages:
            await say(text)
            if step.expect is not None:
                await _expect(place, step, rules, intake, listen, keep)
        if not messages:
            await _expect(place, step, rules, intake, listen, keep)


async def _expect(
    place: int,
    step: HandshakeStep,
    rules: FrameRules,
    intake: FrameIntake,
    listen: Callable[[], Awaitable[Frame]],
    keep: Callable[[Frame], Awaitable[None]],
) -> None:
    name, left, last = f"handshake step {place + 1}", step.timeout_seconds, None
    while True:
        began = trio.current_time()
        try:
            with trio.move_on_after(left) as waiting:
                frame = await listen()
        except PollFailed as ended:
            raise PollFailed(f"{ended} (during {name}){_words(last)}") from None
        if waiting.cancelled_caught:
            raise PollFailed(
                f"{name}: no frame satisfied `{step.expect}` within {step.timeout_seconds:g} s{_words(last)}"
            )
        left = max(left - (trio.current_time() - began), 0.0)
        if rules.answers(place, frame.document):
            # An answer is no data, unless it is (a snapshot, say).
            if intake.is_data(frame):
                await keep(frame)
            return
        if intake.reports_error(frame):
            raise PollFailed(f"{name} was refused: {intake.trouble(frame)}")
        last = frame
        await keep(frame)


def _words(last: Frame | None) -> str:
    if last is None:
        return ""
    text = " ".join(last.body[: _SHOWN * 4].decode(errors="replace").split())
    return f"; the last one was {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}"
