"""Hands an :class:`~etl_actors.messages.Extracted` to the next room so that it is accepted, or known not to be.

What was read whole must not be lost: when its connector is cancelled the sending is finished on borrowed time, since
whoever cancels keeps the next rooms running until they are dry. Only when they take nothing for ``grace_seconds``
either is it given up, and said so.
"""

from __future__ import annotations

import structlog
import trio

from ..messages import Extracted
from .connector_needs import Ledger

log = structlog.get_logger("connector")


async def hand_on(
    extracted: Extracted,
    extracted_send: trio.MemorySendChannel[Extracted],
    *,
    ledger: Ledger | None,
    grace_seconds: float,
) -> None:
    """Returns when it is accepted; raises Cancelled, after it was accepted or given up, when we are cancelled."""
    if ledger is not None:
        ledger.accept(extracted.extraction_id, extracted.connector_id)
    try:
        if ledger is not None:
            await ledger.wait_room(extracted.extraction_id, len(extracted.body))
        await extracted_send.send(extracted)
    except trio.Cancelled:
        # Nothing was sent yet: trio's channels either accept a value or raise.
        with trio.move_on_after(grace_seconds, shield=True) as grace:
            await extracted_send.send(extracted)
        if grace.cancelled_caught:
            if ledger is not None:
                ledger.withdraw(extracted.extraction_id)
            log.error("connector.answer_given_up", connector_id=extracted.connector_id, waited_seconds=grace_seconds)
        raise
