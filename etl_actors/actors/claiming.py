"""How a connector becomes ours: what it read before is settled, then it is claimed until the database answers."""

from __future__ import annotations

from collections.abc import Callable

import trio

from ..errors import StorageUnavailable
from ..messages import Claim
from .connector_needs import Claiming, Ledger

CLAIM_RETRY_SECONDS = 1.0
SETTLING_SECONDS = 60.0


async def claim_settled(
    connector_id: str, claim: Claiming, ledger: Ledger | None, *, failed: Callable[[str], None]
) -> Claim:
    """The claim, as soon as it can be had; ``failed(reason)`` is called each time that it cannot."""
    if ledger is not None:
        # What an incarnation before read is stored under its epoch, which a claim would end.
        with trio.move_on_after(SETTLING_SECONDS):
            await ledger.wait_settled(connector_id)
    while True:
        try:
            return await claim(connector_id)
        except StorageUnavailable as error:
            failed(f"waiting for the database: {error}")
            await trio.sleep(CLAIM_RETRY_SECONDS)
