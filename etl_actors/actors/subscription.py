"""What one subscriber is owed, and what happens when it reads too slowly. Pure: no tasks, no sockets.

Frames wait here until the socket takes them, at most ``buffer_bytes`` of them behind the one that leaves next. Two may
always wait, however large they are: big events come in pairs, and they alone must not end a subscriber. A reader that
falls further behind is closed.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

ALWAYS_WAITING = 2

CLOSE_GOING_AWAY = 1001
CLOSE_TRY_AGAIN_LATER = 1013


class Closing(Struct, frozen=True):
    """Why a subscription ends: a WebSocket close code and a reason of at most 123 bytes."""

    code: int
    reason: str


class SubscriptionQueue:
    """The frames that wait for one subscriber. ``offer`` puts in, ``take`` takes out, ``closing`` says it is over."""

    def __init__(self, buffer_bytes: int) -> None:
        self._buffer_bytes = buffer_bytes
        self._frames: deque[bytes] = deque()
        self.waiting_bytes = 0
        self.closing: Closing | None = None

    def offer(self, frame: bytes) -> None:
        """Queue ``frame``, or close the subscription when its reader is too far behind."""
        if self.closing is not None:
            return
        behind = self.waiting_bytes - len(self._frames[0]) + len(frame) if self._frames else 0
        if len(self._frames) >= ALWAYS_WAITING and behind > self._buffer_bytes:
            self.close(CLOSE_TRY_AGAIN_LATER, f"reads too slowly: {self.waiting_bytes} bytes were waiting")
            return
        self._frames.append(frame)
        self.waiting_bytes += len(frame)

    def take(self) -> bytes | None:
        """The next frame, or None when nothing waits."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self.waiting_bytes -= len(frame)
        return frame

    def close(self, code: int, reason: str) -> None:
        """End it: too slow drops what waits; anything else lets it run dry first."""
        if code == CLOSE_TRY_AGAIN_LATER:
            self._frames.clear()
            self.waiting_bytes = 0
        self.closing = self.closing or Closing(code, reason)
