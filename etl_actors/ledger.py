"""What was accepted and is not settled yet.

An extraction is *accepted* when its connector hands it on, and *settled* when the loader has stored it, put it on disk
until it can be stored, kept it as rejected, or learned that it belongs to somebody else. Who must not act before that
(a connector is deleted, a caller waits for what it extracted) waits here; nothing travels back through the channels.
"""

from __future__ import annotations

from uuid import UUID

import trio

from .errors import StorageUnavailable
from .messages import Event

# What is larger waits its turn: so much of it may be on its way at once, or one by itself. All else is bounded by the
# number of messages that a channel takes.
LARGE_BYTES = 1_048_576
MOST_LARGE_BYTES = 67_108_864


class Settlement:
    """The end of one extraction: ``event`` is its entry in the log, None when it got none.

    ``refusal`` says why it was not taken after all, where it was not.
    """

    __slots__ = ("_settled", "connector_id", "event", "large_bytes", "refusal")

    def __init__(self, connector_id: str) -> None:
        self.connector_id = connector_id
        self.event: Event | None = None
        self.refusal: str | None = None
        self.large_bytes = 0
        self._settled = trio.Event()

    async def wait(self) -> Event | None:
        """Until it is settled. Raises :class:`StorageUnavailable` when it was refused."""
        await self._settled.wait()
        if self.refusal is not None:
            raise StorageUnavailable(self.refusal)
        return self.event

    async def wait_over(self) -> None:
        """Until it is settled or refused."""
        await self._settled.wait()

    def settle(self, event: Event | None) -> None:
        """It is settled with ``event``."""
        self.event = event
        self._settled.set()


class Ledger:
    """All extractions between a connector and the end of their commit; the large ones take ``large_bytes``."""

    def __init__(self) -> None:
        self._open: dict[UUID, Settlement] = {}
        self.large_bytes = 0
        self._turn = trio.StrictFIFOLock()
        self._room = trio.lowlevel.ParkingLot()

    def accept(self, extraction_id: UUID, connector_id: str) -> Settlement:
        """It is on its way from now on."""
        settlement = self._open[extraction_id] = Settlement(connector_id)
        return settlement

    async def wait_room(self, extraction_id: UUID, size: int) -> None:
        """Until there is room for what was accepted, and is so many bytes large."""
        if size < LARGE_BYTES:
            return
        async with self._turn:
            while self.large_bytes and self.large_bytes + size > MOST_LARGE_BYTES:
                await self._room.park()
            settlement = self._open.get(extraction_id)
            if settlement is not None:
                settlement.large_bytes = size
                self.large_bytes += size

    def withdraw(self, extraction_id: UUID) -> None:
        """It was not handed on after all."""
        self.settle(extraction_id, None)

    def settle(self, extraction_id: UUID, event: Event | None) -> None:
        """Its commit is done; one that is not known here is none of ours."""
        settlement = self._taken_out(extraction_id)
        if settlement is not None:
            settlement.settle(event)

    def refuse(self, extraction_id: UUID, reason: str) -> None:
        """Nothing is kept of it now, and whoever waits for it is told why."""
        settlement = self._taken_out(extraction_id)
        if settlement is not None:
            settlement.refusal = reason
            settlement.settle(None)

    def _taken_out(self, extraction_id: UUID) -> Settlement | None:
        settlement = self._open.pop(extraction_id, None)
        if settlement is not None and settlement.large_bytes:
            self.large_bytes -= settlement.large_bytes
            self._room.unpark_all()
        return settlement

    def under_way(self, connector_id: str) -> int:
        """How many of a connector are not settled."""
        return sum(one.connector_id == connector_id for one in self._open.values())

    async def wait_settled(self, connector_id: str) -> None:
        """Until nothing of this connector, accepted by now, is under way."""
        for settlement in [one for one in self._open.values() if one.connector_id == connector_id]:
            await settlement.wait_over()
