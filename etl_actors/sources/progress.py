"""Where one exchange is: what it waits for, and how much of the answer is here.

httpx tells its steps through the ``trace`` extension. From them comes which sentence a failure gets, when the clock of
the response time starts, whether the connection was a used one, and the instant at which the answer is whole.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

import httpx
import trio

from ..errors import PollFailed
from .preamble import counted

# A head may be a hundred thousand bytes long, and one read more may come before h11 says that it is not whole.
MAX_PREAMBLE_BYTES = 200_000


class Phase(Enum):
    """What is being waited for."""

    QUEUED = auto()
    CONNECTING = auto()
    SECURING = auto()
    SENDING = auto()
    WAITING = auto()
    READING = auto()


_BEGINS = {
    "connect_tcp.started": Phase.CONNECTING,
    "start_tls.started": Phase.SECURING,
    "send_request_headers.started": Phase.SENDING,
    "receive_response_headers.started": Phase.WAITING,
    "receive_response_headers.complete": Phase.READING,
}


class Progress:
    """One exchange with ``host``; ``on_whole`` is called the moment the last byte is here."""

    def __init__(self, host: str, on_whole: Callable[[], None]) -> None:
        self.host = host
        self.phase = Phase.QUEUED
        self.dialled = False
        self.sent_at = trio.current_time()
        self.whole_at: float | None = None
        self.received = 0
        self.expected: int | None = None
        self.response: httpx.Response | None = None
        self._before_answer = 0
        self._on_whole = on_whole
        self._dialled_stream: Any = None  # httpcore's AsyncNetworkStream; httpx does not publish the type

    async def trace(self, name: str, info: dict[str, Any]) -> None:
        """The ``trace`` extension of the request."""
        _, _, step = name.partition(".")
        self.phase = _BEGINS.get(step, self.phase)
        if step == "connect_tcp.started":
            self.dialled = True
        elif step == "connect_tcp.complete":
            self._dialled_stream = info["return_value"]
            counted(self._dialled_stream)
        elif step == "start_tls.complete":
            counted(info["return_value"])
        elif step == "send_request_headers.started":
            self.sent_at = trio.current_time()
            self._before_answer = 0
        elif step == "receive_response_body.complete":
            self.whole_at = trio.current_time()
            self._on_whole()

    def came(self, size: int) -> None:
        """So many bytes came. Raises PollFailed when it is too much before the head of the answer is whole."""
        if self.phase is Phase.WAITING:
            self._before_answer += size
            if self._before_answer > MAX_PREAMBLE_BYTES:
                raise PollFailed(f"more than {MAX_PREAMBLE_BYTES:,} bytes came before the answer")

    async def abandon(self) -> None:
        """Closes what httpcore leaves open when a TLS handshake is cancelled; it only closes after its own timeout."""
        if self.phase is Phase.SECURING and self._dialled_stream is not None:
            with trio.CancelScope(shield=True):
                await self._dialled_stream.aclose()

    def answered(self, response: httpx.Response) -> None:
        """The head of the answer is here."""
        self.response = response
        length = response.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and len(length) < 19:
            self.expected = int(length)

    def received_of(self) -> str:
        """How much came, for a person."""
        if self.expected is None:
            return f"{self.received:,} bytes"
        return f"{self.received:,} of {self.expected:,} bytes"
