"""Reads the pages of one poll, one after the other: asks for each, hands it in, and turns to what comes after it.

Each page is an answer of its own, admitted at the provider's gate, sent on and committed by itself, so what was read
before a page that fails is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from ..errors import LinkRefused, PollFailed
from ..messages import Extracted
from .connector_intake import Intake
from .connector_needs import Source
from .connector_sweep import Sweep


async def read_pages(
    sweep: Sweep,
    source: Source,
    intake: Intake,
    extracted_send: trio.MemorySendChannel[Extracted],
    *,
    admit: Callable[[], Awaitable[None]],
    begun: Callable[[], None],
) -> tuple[float, bool]:
    """How many seconds the slowest answer took, and whether anything was new; PollFailed when a page brings nothing.

    ``admit`` waits until the provider may be asked; ``begun`` is called when it is for the first time.
    """
    slowest, sent = 0.0, False
    await admit()
    begun()
    while True:
        asked = trio.current_time()
        # Between the return of the source and the intake nothing may wait: a cancellation there would lose what was
        # read whole. The intake shields itself.
        try:
            reading = await source.poll(intake.checkpoint, sweep.page())
        except PollFailed as failure:
            over = sweep.failed(failure.status, unaskable=isinstance(failure, LinkRefused))
            intake.settle(sweep)
            if over:
                break
            raise
        slowest = max(slowest, trio.current_time() - asked)
        if reading is None:
            break
        try:
            sent = await intake.take(reading, sweep, extracted_send) or sent
        except PollFailed:
            sweep.failed(200)
            intake.settle(sweep)
            raise
        if sweep.over:
            break
        await admit()
    if sweep.trouble is not None:
        raise PollFailed(sweep.trouble)
    return slowest, sent
