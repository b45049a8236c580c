"""What the socket side of a provider consists of, as the conversation on a socket sees it.

A :class:`Feed` is a provider's streaming service; a :class:`Session` is what it is to one client: which streams it
subscribed, and what is due to it at a moment. Sessions know nothing of sockets: text in, texts out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from etl_actors.sandbox.messages import Request


@dataclass(frozen=True, slots=True)
class Rules:
    """``messages_per_second`` of a client beyond which it is cut off (pings and pongs count); within
    ``first_word_seconds`` it must have said something; ``asks_for_pongs``: pings, and leaves when nobody answers.
    """

    messages_per_second: int | None = None
    first_word_seconds: float | None = None
    asks_for_pongs: bool = False


class Session(Protocol):
    """One client of a feed. A tick is a tenth of a second."""

    def greet(self, tick: int) -> Sequence[str]:
        """What is said when the connection opens."""
        ...

    def hear(self, text: str, tick: int) -> Sequence[str]:
        """The replies to a message of the client."""
        ...

    async def due(self, since: int, tick: int) -> Sequence[str]:
        """The data of the ticks after ``since`` up to ``tick``."""
        ...

    def announce_shutdown(self, tick: int) -> Sequence[str]:
        """What is said before the provider ends the connection of its own accord."""
        ...


class Feed(Protocol):
    """A provider's streaming service."""

    rules: Rules

    def open(self, request: Request) -> Session | None:
        """A session for whoever asks at this address, or None when there is nothing to be had there."""
        ...
