"""From a reading to an :class:`~etl_actors.messages.Extracted` that the next room has accepted.

An answer that was read whole is accepted and must not be lost, so a cancellation does not reach the work on it, and the
sending is finished on borrowed time (see ``handing_on``).

The checkpoint advances when the message is accepted and not before, so that an answer that was not is asked for again.
"""

from __future__ import annotations

import hashlib
from typing import Any

import trio
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from ..damage import Damage
from ..errors import PayloadRefused, PollFailed
from ..messages import Checkpoint, Claim, Extracted, Onward, Reading
from ..settings import ConnectorSettings
from .beside import beside
from .connector_digests import page_digest, with_page_digest
from .connector_needs import Inspector, Ledger, Read
from .connector_place import without_page
from .connector_sweep import Sweep, count_elements
from .handing_on import hand_on


class Intake:
    """Takes a connector's readings in; ``checkpoint`` is where the next poll continues, ``epoch`` whose it is."""

    def __init__(
        self,
        connector: ConnectorSettings,
        *,
        read: Read,
        inspector: Inspector | None,
        ledger: Ledger | None = None,
        grace_seconds: float,
    ) -> None:
        self._connector = connector
        self._ledger = ledger
        self._read = read
        self._inspector = inspector
        self._grace_seconds = grace_seconds
        self._fingerprint = connector.fingerprint()
        self.epoch = 0
        self._refused: tuple[bytes, str] | None = None
        self.checkpoint = Checkpoint(fingerprint=self._fingerprint)

    def begin(self, claim: Claim) -> None:
        """The connector is ours; what was remembered under other settings no longer counts."""
        self.epoch = claim.epoch
        self._refused = None
        kept = claim.checkpoint
        same = kept.fingerprint == self._fingerprint
        self.checkpoint = kept if same else Checkpoint(fingerprint=self._fingerprint, cursor=without_page(kept.cursor))

    async def take(self, reading: Reading, sweep: Sweep, extracted_send: trio.MemorySendChannel[Extracted]) -> bool:
        """Sends what is new, and turns the page; False when nothing is. PollFailed when the answer is an error or no
        document.
        """
        with trio.CancelScope(shield=True):
            if sweep.in_pages and await beside(reading.body, sweep.repeats):
                self.settle(sweep)
                return False
            digest, number = await self._digest(reading.body), sweep.number
            unchanged = digest is not None and digest == page_digest(self.checkpoint.body_hash, number)
            if unchanged and not sweep.in_pages:
                sweep.turn(0, Onward(), None)
                return False
            if digest is not None and self._refused is not None and digest == self._refused[0]:
                raise PollFailed(self._refused[1])  # it was sent, and kept as rejected, when it was new
            document, damage, refusal = await self._inspected(reading, sweep)
        checkpoint = self.checkpoint
        if refusal is None:
            # A refused body leaves no trace in the checkpoint: the next answer is compared with the last good one.
            checkpoint = self._advanced(reading, sweep, number, digest)
        if refusal is None and unchanged:
            self.checkpoint = checkpoint
            return False
        await self._send(reading, document, damage, refusal, checkpoint, extracted_send)
        if refusal is not None:
            self._refused = None if digest is None else (digest, refusal)
            raise PollFailed(refusal)
        return True

    def settle(self, sweep: Sweep) -> None:
        """Remember where ``sweep`` has come to without an answer to send: the next one carries it."""
        self.checkpoint = replace(self.checkpoint, cursor=sweep.stored())

    async def _inspected(self, reading: Reading, sweep: Sweep) -> tuple[Any, Damage | None, str | None]:
        """The document and its damage, or why it is none that can be mapped; turns the page. PollFailed when it is an
        error that is reported.
        """
        try:
            document, damage = await self._read(reading.body)
            elements, onward = 0, Onward()
            if self._inspector is not None:
                said = self._inspector.provider_error(document)
                if said is not None:
                    raise PollFailed(said)
                mapped = self._inspector.elements(document)
                if damage is not None:
                    await trio.to_thread.run_sync(damage.refuse_outside, mapped)
                if sweep.counts:
                    elements = count_elements(document, mapped if self._connector.items is not None else None)
                if sweep.reads_on:
                    read = self._inspector.onward
                    onward = await beside(reading.body, lambda _: read(document))
                    if damage is not None:
                        damage.refuse_in(onward.next_page, onward.cursor)
        except PayloadRefused as error:
            return None, None, str(error)
        sweep.turn(elements, onward, reading.next_link)
        return document, damage, None

    def _advanced(self, reading: Reading, sweep: Sweep, number: int, digest: bytes | None) -> Checkpoint:
        hashes = self.checkpoint.body_hash
        return replace(
            self.checkpoint,
            etag=reading.etag,
            last_modified=reading.last_modified,
            body_hash=None if digest is None else with_page_digest(hashes, number, digest, last=sweep.over),
            cursor=sweep.stored(),
        )

    async def _digest(self, body: bytes) -> bytes | None:
        if self._connector.store != "changed":
            return None
        return await beside(body, lambda whole: hashlib.sha256(whole).digest())

    async def _send(
        self,
        reading: Reading,
        document: Any,
        damage: Damage | None,
        refusal: str | None,
        checkpoint: Checkpoint,
        extracted_send: trio.MemorySendChannel[Extracted],
    ) -> None:
        extracted = Extracted(
            extraction_id=uuid7(),
            connector_id=self._connector.connector_id,
            epoch=self.epoch,
            received_at=reading.received_at,
            response_time_ms=reading.response_time_ms,
            body=reading.body,
            checkpoint=checkpoint,
            params=reading.params,
            document=document,
            refusal=refusal,
            damage=damage,
        )
        await hand_on(extracted, extracted_send, ledger=self._ledger, grace_seconds=self._grace_seconds)
        self.checkpoint = checkpoint
