"""Connects to one of several addresses of a host: the next is tried when one fails, or takes its time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import trio

# RFC 8305: how long an attempt has the field for itself.
_HEAD_START_SECONDS = 0.25
_MOST_ADDRESSES = 8


class Stream(Protocol):
    """What an attempt brings."""

    async def aclose(self) -> None: ...


S = TypeVar("S", bound=Stream)


async def dial(
    addresses: Sequence[str], attempt: Callable[[str], Awaitable[S]], failures: tuple[type[Exception], ...]
) -> S:
    """The first connection that ``attempt(address)`` makes; the others are closed.

    ``failures`` are what an attempt may raise; when all have failed the one failure is raised, or a group of them.
    """
    made: list[S] = []
    failed: list[Exception] = []
    try:
        async with trio.open_nursery() as nursery:
            for address in addresses[:_MOST_ADDRESSES]:
                over = trio.Event()
                nursery.start_soon(_try, address, attempt, failures, made, failed, over, nursery.cancel_scope)
                with trio.move_on_after(_HEAD_START_SECONDS):
                    await over.wait()
        if made:
            return made.pop(0)
    finally:
        # Two may arrive at once.
        with trio.CancelScope(shield=True) as at_once:
            at_once.cancel()
            for stream in made:
                await stream.aclose()
    raise failed[0] if len(failed) == 1 else ExceptionGroup("no address answers", failed)


async def _try(
    address: str,
    attempt: Callable[[str], Awaitable[S]],
    failures: tuple[type[Exception], ...],
    made: list[S],
    failed: list[Exception],
    over: trio.Event,
    race: trio.CancelScope,
) -> None:
    try:
        made.append(await attempt(address))
        race.cancel()
    except failures as error:
        failed.append(error)
    over.set()
