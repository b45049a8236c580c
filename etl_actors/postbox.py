"""What clients say to each other on ``/ws``: stored like everything else, and sent to everybody by the broadcaster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from uuid_utils.compat import uuid7

from .errors import StorageRefused, StorageUnavailable
from .messages import UNOWNED, Checkpoint, Event, Transformed
from .side_door import SideDoor

STORED_SECONDS = 15.0


class Postbox:
    """Takes application messages. ``storage_trouble()`` says why nothing can be stored now, if nothing can."""

    def __init__(self, side_door: SideDoor, storage_trouble: Callable[[], str | None]) -> None:
        self._side_door = side_door
        self._storage_trouble = storage_trouble

    async def post(self, message_type: str, body: bytes) -> Event:
        """Store a message, a JSON object; returns its event, which everybody is sent.

        Messages are stored in the order in which their calls began, also where these overlap. Raises StorageUnavailable
        or NotDrained (not now), and StorageRefused (never).
        """
        trouble = self._storage_trouble()
        if trouble is not None:
            raise StorageUnavailable(trouble)
        part = Transformed(
            extraction_id=uuid7(),
            connector_id="",
            api_name="",
            exchange="",
            epoch=UNOWNED,
            received_at=datetime.now(UTC),
            response_time_ms=0,
            body=body,
            checkpoint=Checkpoint(),
            kind="message",
            message_type=message_type,
        )
        event = await self._side_door.store(part, seconds=STORED_SECONDS)
        if event is None:
            raise StorageRefused("PostgreSQL cannot store it")
        return event
