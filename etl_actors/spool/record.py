"""One row of the spool: an encoded batch with what must be known of it without decoding it, under one checksum.

The checksum covers the place in the queue too, so a bit that flips in any column is noticed, and a record that is
found in the ruins of a file proves by itself that it is whole and where it belongs.
"""

from __future__ import annotations

import struct
from hashlib import blake2b

import msgspec
from msgspec import Struct

from ..messages import Batch
from .encoding import Undecodable, decoded, encoded

_DIGEST = 16  # bytes
_FORM = struct.Struct("<4q")


class Fresh(Struct, frozen=True, kw_only=True):
    """An encoded batch that has no place in the queue yet. ``size`` is that of its blob before it was compressed."""

    batch_id: bytes
    connectors: bytes
    rows: int
    size: int
    blob: bytes
    digest: bytes

    def placed(self, sequence: int, written_at: int) -> Record:
        """With its place; ``written_at`` in microseconds since 1970."""
        record = Record(
            sequence=sequence,
            batch_id=self.batch_id,
            rows=self.rows,
            size=self.size,
            written_at=written_at,
            checksum=b"",
            connectors=self.connectors,
            blob=self.blob,
        )
        return msgspec.structs.replace(record, checksum=_checksum(record, self.digest))


class Record(Struct, frozen=True):
    """A row as it is stored; the order of the fields is that of the columns, the blob last since it is long.

    Until it is proved, anything may stand in any field: what a damaged page makes of it.
    """

    sequence: int
    batch_id: bytes
    rows: int
    size: int
    written_at: int
    checksum: bytes
    connectors: bytes
    blob: bytes

    def batch(self) -> Batch:
        """What was appended. Raises :class:`Undecodable`."""
        self.prove()
        return decoded(self.blob, self.size)

    def prove(self) -> None:
        """Raises :class:`Undecodable` where this is not what was written."""
        try:
            whole = self.checksum == _checksum(self, _digest(self.blob))
        except (TypeError, struct.error):
            whole = False
        if not whole:
            raise Undecodable("its checksum does not match")


def fresh(batch: Batch) -> Fresh:
    """``batch``, encoded."""
    blob, size = encoded(batch)
    connectors = msgspec.json.encode(sorted({part.connector_id for part in batch.parts}))
    return Fresh(
        batch_id=batch.batch_id.bytes,
        connectors=connectors,
        rows=batch.rows,
        size=size,
        blob=blob,
        digest=_digest(blob),
    )


def _digest(blob: bytes) -> bytes:
    return blake2b(blob, digest_size=_DIGEST).digest()


def _checksum(record: Record, digest: bytes) -> bytes:
    hashing = blake2b(digest, digest_size=_DIGEST)
    hashing.update(_FORM.pack(record.sequence, record.rows, record.size, record.written_at))
    hashing.update(record.batch_id)
    hashing.update(record.connectors)
    return hashing.digest()
