"""Which frames of a new socket the old one has brought already, while both are open. Pure.

The old socket leads: what it brings goes on. What the new one brings meanwhile is held, in its order, and follows when
the old one has ended, without the copies. So nothing is missing, nothing comes twice, and nothing overtakes.

Copies are counted, not only known: a provider that says the same thing twice in a row says it twice.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from math import inf

from .socket_intake import Frame
from .socket_needs import FrameRules

MOST_FRAMES = 50_000
MOST_BYTES = 16_777_216


class Overlap:
    """What both sockets brought. ``until`` is when the last copy will have come, a moment of trio's clock.

    ``met`` says whether one frame at least was brought by both: the old socket, which may lag by all that its buffers
    hold, has come to where the new one began.
    """

    def __init__(self, rules: FrameRules) -> None:
        self._rules = rules
        self._brought: Counter[bytes] = Counter()
        self._held: deque[tuple[bytes, Frame]] = deque()
        self._held_keys: set[bytes] = set()
        self._held_bytes = 0
        self.met = False
        self._noted = 0
        self.until = inf

    @property
    def has_room(self) -> bool:
        """Whether more can be remembered."""
        return max(len(self._held), self._noted) < MOST_FRAMES and self._held_bytes < MOST_BYTES

    @property
    def stirred(self) -> bool:
        """Whether one of them brought anything."""
        return bool(self._held or self._noted)

    def note(self, frame: Frame) -> None:
        """The old socket brought it."""
        key = self._key(frame)
        self._noted += 1
        self._brought[key] += 1
        self.met = self.met or key in self._held_keys

    def hold(self, frame: Frame) -> None:
        """The new socket brought it."""
        key = self._key(frame)
        self._held.append((key, frame))
        self._held_keys.add(key)
        self._held_bytes += len(frame.body)
        self.met = self.met or key in self._brought

    def release(self) -> Frame | None:
        """The next that is held; None when none is."""
        if not self._held:
            return None
        _, frame = self._held.popleft()
        self._held_bytes -= len(frame.body)
        return frame

    def is_copy(self, frame: Frame) -> bool:
        """Whether the new socket's ``frame`` is one that the old one brought; each of those counts once."""
        key = self._key(frame)
        if not self._brought[key]:
            del self._brought[key]
            return False
        self._brought[key] -= 1
        return True

    def _key(self, frame: Frame) -> bytes:
        key = None if frame.refusal is not None else self._rules.duplicate_key(frame.document)
        return hashlib.sha256(frame.body).digest() if key is None else b"key:" + key
