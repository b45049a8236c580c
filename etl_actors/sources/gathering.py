"""Collects the pieces of a body under a bound, however small the pieces and however large the whole.

Tiny pieces are merged, because a Python object for every two bytes would cost thirty times the bound. A large body
waits in a file without a name until it is whole: one that never ends costs the bound on disk, and not in memory.
"""

from __future__ import annotations

import tempfile
from typing import IO

import trio

from ..errors import PollFailed

_BLOCK_BYTES = 1_048_576
_IN_MEMORY_BYTES = 8_388_608


class Gathering:
    """The body so far; to be closed in the end."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._block = bytearray()
        self._blocks: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Keeps ``piece``; PollFailed when the whole becomes larger than the bound, or than the disk has room for."""
        self.size += len(piece)
        if self.size > self._max_bytes:
            raise too_large(self._max_bytes)
        self._block += piece
        if len(self._block) >= _BLOCK_BYTES:
            self._blocks.append(bytes(self._block))
            self._block.clear()
            if self._file is not None or self.size > _IN_MEMORY_BYTES:
                self._put_down()

    async def whole(self) -> bytes:
        """Everything that was added."""
        return self.so_far() if self._file is None else await trio.to_thread.run_sync(self._read_back)

    def so_far(self) -> bytes:
        """Everything that was added, of a body that is in memory; one of an error page always is."""
        return b"".join([*self._blocks, self._block])

    def close(self) -> None:
        """Nothing of it is needed any more."""
        if self._file is not None:
            self._file.close()

    def _put_down(self) -> None:
        if self._file is None:
            try:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the gathering
            except OSError:
                # Where nothing may be written, memory has to do; the bound is the same.
                return
        try:
            for block in self._blocks:
                self._file.write(block)
        except OSError as error:
            raise PollFailed(f"the answer is too large for the disk it waits on: {error.strerror}") from error
        self._blocks.clear()

    def _read_back(self) -> bytes:
        assert self._file is not None
        self._file.write(self._block)
        self._block.clear()
        self._file.seek(0)
        return self._file.read()


def too_large(max_bytes: int) -> PollFailed:
    """The sentence for a body over the bound."""
    return PollFailed(f"the answer is larger than {max_bytes:,} bytes")
