"""From the bytes of a frame to an :class:`~etl_actors.messages.Extracted` that the next room has accepted.

A frame that is no JSON, or in which the provider reports an error, is accepted too: with the reason, to be kept as
rejected. It never ends the stream.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import trio
from msgspec import Struct
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from ..damage import Damage
from ..errors import PayloadRefused
from ..messages import Checkpoint, Claim, Extracted
from ..settings import ConnectorSettings
from ..settings.disclosure import open_params
from .connector_needs import Ledger, Read
from .handing_on import hand_on
from .socket_needs import FrameMapper


class Frame(Struct, frozen=True, kw_only=True):
    """One frame. ``document`` is what its JSON says; of what is no JSON it is the text, and ``refusal`` says why.

    ``connection`` is the number of the socket that brought it.
    """

    body: bytes
    received_at: datetime
    document: Any
    refusal: str | None = None
    damage: Damage | None = None
    connection: int = 0


class FrameIntake:
    """Takes the frames of one connector in; ``epoch`` is whose they are."""

    def __init__(
        self,
        connector: ConnectorSettings,
        mapper: FrameMapper,
        *,
        read: Read,
        ledger: Ledger | None,
        grace_seconds: float,
        now: Callable[[], datetime],
    ) -> None:
        self._connector = connector
        self._mapper = mapper
        self._rules = mapper.frames
        self._read = read
        self._ledger = ledger
        self._grace_seconds = grace_seconds
        self._now = now
        self._params = open_params(connector)
        self.epoch = 0
        self._checkpoint = Checkpoint()

    def begin(self, claim: Claim) -> None:
        """The connector is ours. A stream has no place to continue from, and moves none."""
        self.epoch = claim.epoch
        self._checkpoint = replace(claim.checkpoint, fingerprint=self._connector.fingerprint())

    async def read(self, body: bytes, connection: int = 0) -> Frame:
        """What ``body`` says, which came over that socket. A cancellation waits until that is known."""
        received_at = self._now()
        try:
            with trio.CancelScope(shield=True):
                document, damage = await self._read(body)
                if damage is not None:
                    await self._refuse_outside(damage, document)
        except PayloadRefused as refused:
            text = body.decode(errors="replace")
            return Frame(body=body, received_at=received_at, document=text, refusal=str(refused), connection=connection)
        return Frame(body=body, received_at=received_at, document=document, damage=damage, connection=connection)

    async def _refuse_outside(self, damage: Damage, document: Any) -> None:
        """A frame is rejected whole unless each value that cannot be kept lies in one of its elements."""
        try:
            elements = () if self._connector.sequence is not None else self._mapper.elements(document)
        except PayloadRefused:
            elements = ()
        await trio.to_thread.run_sync(damage.refuse_outside, elements)

    def is_data(self, frame: Frame) -> bool:
        """Whether items can be made of ``frame``, so that it is more than an answer to us."""
        if frame.refusal is not None or not self._mapper.has_items or self._rules.ignored(frame.document):
            return False
        try:
            elements = self._mapper.elements(frame.document)
            return bool(elements) and self._mapper.map_element(elements[0], 1, self._params) is not None
        except PayloadRefused:
            return False

    def reports_error(self, frame: Frame) -> bool:
        """Whether the provider says that something is wrong; that is never a mere sign of life."""
        return frame.refusal is None and self._mapper.provider_error(frame.document) is not None

    def trouble(self, frame: Frame) -> str | None:
        """Why ``frame`` is none that can be mapped, in one sentence."""
        return frame.refusal if frame.refusal is not None else self._mapper.provider_error(frame.document)

    async def take(
        self,
        frame: Frame,
        trouble: str | None,
        extracted_send: trio.MemorySendChannel[Extracted],
        *,
        document: Any,
        cursor: Any,
    ) -> None:
        """Sends ``frame`` on, as rejected when there is ``trouble`` with it. ``document`` is what the mapping gets of
        it, ``cursor`` what is remembered with it.
        """
        extracted = Extracted(
            extraction_id=uuid7(),
            connector_id=self._connector.connector_id,
            epoch=self.epoch,
            received_at=frame.received_at,
            response_time_ms=0,
            body=frame.body,
            checkpoint=self._checkpoint if cursor is None else replace(self._checkpoint, cursor=cursor),
            params=self._params,
            document=document,
            refusal=trouble,
            damage=frame.damage,
            kind="frame",
            message_type=None if frame.refusal is not None else self._rules.message_type(frame.document),
        )
        await hand_on(extracted, extracted_send, ledger=self._ledger, grace_seconds=self._grace_seconds)
