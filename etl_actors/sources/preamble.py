"""Counts what comes before an answer: a provider may send "wait" (a 1xx) as often as it likes, and each costs time.

httpcore reads over them without a word, as much as comes. The streams that it reads from are made countable here, when
they are dialled; whose answer is being waited for is known by the context, since a request reads in its own task.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

came: ContextVar[Callable[[int], None] | None] = ContextVar("came", default=None)
"""Is told of each read of the request that this task waits for, how many bytes came; may raise PollFailed."""


def counted(stream: Any) -> None:
    """Have every read of ``stream``, one of httpcore's, told to whoever reads."""
    read = stream.read

    async def counting(*arguments: Any, **options: Any) -> bytes:
        data: bytes = await read(*arguments, **options)
        tell = came.get()
        if tell is not None:
            tell(len(data))
        return data

    stream.read = counting
