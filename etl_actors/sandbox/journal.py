"""The requests the sandbox has seen, for tests that ask whether a connector kept its schedule and sent its headers.

A stream is in it by the request that opened it (status 101), with what the client said on it, how many frames of data
it was sent, how many were lost on purpose, and how it ended. Bounded: the oldest leave first. Control requests are not
in it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from etl_actors.sandbox.messages import Request

MOST_HEARD = 1_000

HEADERS_OF_INTEREST = (
    "accept",
    "accept-encoding",
    "authorization",
    "if-modified-since",
    "if-none-match",
    "user-agent",
    "x-cg-demo-api-key",
    "x-cg-pro-api-key",
    "x-mbx-apikey",
    "x-mbx-time-unit",
)


@dataclass(slots=True)
class SeenRequest:
    """``time`` in seconds since 1970; ``status`` is 0 until answered, and stays so when no head was ever sent."""

    provider: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    time: float
    status: int = 0
    fault: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    sent: int = 0
    lost: int = 0
    ended: str | None = None


class Journal:
    """The last ``size`` requests, oldest first."""

    def __init__(self, size: int = 10_000) -> None:
        self._seen: deque[SeenRequest] = deque(maxlen=size)

    def note(self, provider: str, request: Request, time: float) -> SeenRequest:
        """Keeps a request; the caller fills in how it was answered."""
        headers = {name: request.headers[name] for name in HEADERS_OF_INTEREST if name in request.headers}
        seen = SeenRequest(
            provider, request.method, request.path, request.query, headers, time, params=dict(request.params)
        )
        self._seen.append(seen)
        return seen

    def requests(self, path: str | None = None) -> list[SeenRequest]:
        """All of them, or those of one path."""
        return [seen for seen in self._seen if path is None or seen.path == path]

    def clear(self) -> None:
        """Forgets all of them."""
        self._seen.clear()
