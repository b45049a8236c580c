"""How fast we talk to a stream's provider: messages within one socket, and sockets one after another."""

from __future__ import annotations

from collections import deque

import trio

# Binance lets an address connect 300 times in 5 minutes; ten connectors that flap at once stay below.
FREE_CONNECTS = 30
WITHIN_SECONDS = 300.0
SPACING_SECONDS = 10.0
# Messages that leave evenly may arrive closer together.
_SLACK = 1.1


class MessageGate:
    """Lets through at most ``per_second`` messages in any second."""

    def __init__(self, per_second: float) -> None:
        self._times: deque[float] = deque(maxlen=max(1, int(per_second)))
        self._window = max(1.0, 1.0 / per_second) * _SLACK
        self._lock = trio.Lock()

    async def wait(self) -> None:
        """Until one more message may leave; it counts from then."""
        async with self._lock:
            if len(self._times) == self._times.maxlen:
                await trio.sleep_until(self._times[0] + self._window)
            self._times.append(trio.current_time())


class ConnectPace:
    """Keeps a stream that breaks again and again from being connected in a hurry for ever."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=FREE_CONNECTS)

    async def wait(self) -> None:
        """Until one more connection may be tried; it counts from then."""
        now = trio.current_time()
        if len(self._times) == FREE_CONNECTS and self._times[0] > now - WITHIN_SECONDS:
            await trio.sleep_until(self._times[-1] + SPACING_SECONDS)
        self._times.append(trio.current_time())
