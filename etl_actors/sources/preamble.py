"""A bound on what comes before an answer: a provider may send "wait" (a 1xx) as often as it likes, and each costs time.

httpcore reads over them without a word, as much as comes. The streams that it reads from are made countable here, when
they are dialled; whose answer is being waited for is known by the context, since a request reads in its own task.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ..errors import PollFailed

# A head may be a hundred thousand bytes long, and one read more may come before h11 says that it is not whole.
MAX_BYTES = 200_000


class Preamble:
    """What has come for one request before the head of its answer was whole; ``over`` is set when it is."""

    def __init__(self) -> None:
        self.over = False
        self._received = 0

    def begin(self) -> None:
        """The request is sent (again)."""
        self.over, self._received = False, 0

    def add(self, size: int) -> None:
        """More came. Raises PollFailed when it is too much."""
        self._received += size
        if not self.over and self._received > MAX_BYTES:
            raise PollFailed(f"more than {MAX_BYTES:,} bytes came before the answer")


reading: ContextVar[Preamble | None] = ContextVar("reading", default=None)
"""The preamble of the request that this task waits for."""


def counted(stream: Any) -> None:
    """Have every read of ``stream``, one of httpcore's, counted for whoever reads."""
    read = stream.read

    async def counting(*arguments: Any, **options: Any) -> bytes:
        data: bytes = await read(*arguments, **options)
        preamble = reading.get()
        if preamble is not None:
            preamble.add(len(data))
        return data

    stream.read = counting
