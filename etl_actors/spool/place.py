"""Where the queue is: what was appended last, what was removed last, and how much is between.

It is kept twice. In the spool it changes with the rows it counts, in one transaction. The **witness**, a small file
beside it, gets a copy after each commit: what an acknowledged batch leaves behind even when the end of the write-ahead
log is gone, so that a loss is counted instead of never noticed. It is not fsynced (that would double the cost of each
commit), so after a power cut it may be old, which makes it say too little, never too much.
"""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

_FORM = struct.Struct("<5q")
_CHECK = struct.Struct("<I")
LENGTH = _FORM.size + _CHECK.size
WITNESS_NAME = "spool.place"


class Place(Struct, frozen=True, kw_only=True):
    """Sequences above ``removed`` up to ``last`` wait. ``damaged`` counts what was lost, since the spool was made."""

    removed: int = 0
    last: int = 0
    batches: int = 0
    rows: int = 0
    damaged: int = 0

    def pack(self) -> bytes:
        """As bytes that show when they are not what was written."""
        packed = _FORM.pack(self.removed, self.last, self.batches, self.rows, self.damaged)
        return packed + _CHECK.pack(zlib.crc32(packed))


def unpack(packed: bytes) -> Place | None:
    """The place that was packed, or None where it cannot be trusted."""
    if len(packed) != LENGTH or _CHECK.unpack_from(packed, _FORM.size)[0] != zlib.crc32(packed[: _FORM.size]):
        return None
    removed, last, batches, rows, damaged = _FORM.unpack_from(packed)
    return Place(removed=removed, last=last, batches=batches, rows=rows, damaged=damaged)


class Witness:
    """The copy beside the spool."""

    def __init__(self, folder: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(folder / WITNESS_NAME, flags, 0o600)

    def read(self) -> Place | None:
        """What was told last, or None."""
        with suppress(OSError):
            return unpack(os.pread(self._descriptor, LENGTH + 1, 0))
        return None

    def tell(self, place: Place) -> None:
        """Keep ``place``. A disk that has no room even for this must not make a committed batch fail."""
        with suppress(OSError):
            os.pwrite(self._descriptor, place.pack(), 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
