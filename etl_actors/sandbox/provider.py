"""What the server asks of a provider: answers to requests, and a feed for those who come for a socket."""

from __future__ import annotations

from typing import Protocol

from etl_actors.sandbox.messages import Answer, Request
from etl_actors.sandbox.streams import Feed


class Provider(Protocol):
    """``origin`` is where its API is in the world."""

    name: str
    origin: str

    @property
    def stream_origins(self) -> tuple[str, ...]:
        """Where in the world its streams are looked for."""
        ...

    @property
    def feed(self) -> Feed | None:
        """Its streams, where it has any."""
        ...

    async def answer(self, request: Request) -> Answer:
        """The true answer to this request."""
        ...
