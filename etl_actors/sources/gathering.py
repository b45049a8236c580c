"""Collects the pieces of a body under a bound, however small the pieces and however large the whole.

Tiny pieces are merged, because a Python object for every two bytes would cost thirty times the bound; the large ones
are joined at the end in a worker thread, because copying 64 MB holds the loop.
"""

from __future__ import annotations

import trio

from ..errors import PollFailed

_MERGED_BYTES = 65_536
_LARGE_BYTES = 4_194_304


class Gathering:
    """The body so far."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._small = bytearray()
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Keeps ``piece``; PollFailed when the whole becomes larger than the bound."""
        self.size += len(piece)
        if self.size > self._max_bytes:
            raise too_large(self._max_bytes)
        if len(piece) < _MERGED_BYTES:
            self._small += piece
            if len(self._small) >= _MERGED_BYTES:
                self._flush()
            return
        self._flush()
        self._pieces.append(piece)

    async def whole(self) -> bytes:
        """Everything that was added."""
        if self.size < _LARGE_BYTES:
            return self.so_far()
        self._flush()
        return await trio.to_thread.run_sync(b"".join, self._pieces)

    def so_far(self) -> bytes:
        """Everything that was added; meant for small bodies."""
        self._flush()
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def _flush(self) -> None:
        if self._small:
            self._pieces.append(bytes(self._small))
            self._small.clear()


def too_large(max_bytes: int) -> PollFailed:
    """The sentence for a body over the bound."""
    return PollFailed(f"the answer is larger than {max_bytes:,} bytes")
