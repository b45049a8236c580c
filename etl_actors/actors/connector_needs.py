"""What a connector needs from the other rooms, as the shapes it asks for; who fits them is decided where it is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import trio

from ..damage import Damage
from ..errors import PollFailed
from ..messages import Checkpoint, Claim, Onward, Page, Reading


class Source(Protocol):
    """Reads one page of the provider's answer; None when it did not change since ``checkpoint``. Raises PollFailed."""

    async def poll(self, checkpoint: Checkpoint, page: Page, /) -> Reading | None: ...


class Inspector(Protocol):
    """Knows what an error looks like in an answer that arrived with status 200, where the elements must be, and where
    it says what comes after it.

    ``elements`` and ``onward`` raise PayloadRefused when it does not; ``onward`` may be asked in a worker thread.
    """

    def provider_error(self, document: Any) -> str | None: ...

    def elements(self, document: Any) -> Sequence[Any]: ...

    def onward(self, document: Any) -> Onward: ...


class Read(Protocol):
    """Makes a document of a body, and says what of it cannot be kept; raises PayloadRefused."""

    async def __call__(self, body: bytes, /) -> tuple[Any, Damage | None]: ...


class Claiming(Protocol):
    """Makes the connector ours and says where its last commit ended; raises StorageUnavailable."""

    async def __call__(self, connector_id: str, /) -> Claim: ...


class Limit(Protocol):
    """What the provider allows all connectors that share it."""

    def join(self, connector_id: str, interval_seconds: float, cost: float) -> None: ...

    def leave(self, connector_id: str) -> None: ...

    def effective_interval(self, connector_id: str) -> float: ...

    def throttled(self, connector_id: str) -> bool: ...

    def spread_seconds(self, connector_id: str) -> float: ...

    def held_seconds(self) -> float: ...

    async def admit(self, cost: float) -> None: ...

    def ban(self, seconds: float) -> None: ...


class Ledger(Protocol):
    """Knows what is on its way to be stored."""

    def accept(self, extraction_id: UUID, connector_id: str, /) -> object: ...

    async def wait_room(self, extraction_id: UUID, size: int, /) -> None: ...

    def withdraw(self, extraction_id: UUID, /) -> None: ...

    async def wait_settled(self, connector_id: str, /) -> None: ...


class Unlimited:
    """The limit of connectors that name none."""

    def __init__(self) -> None:
        self._intervals: dict[str, float] = {}

    def join(self, connector_id: str, interval_seconds: float, cost: float) -> None:
        self._intervals[connector_id] = interval_seconds

    def leave(self, connector_id: str) -> None:
        self._intervals.pop(connector_id, None)

    def effective_interval(self, connector_id: str) -> float:
        return self._intervals[connector_id]

    def throttled(self, connector_id: str) -> bool:
        return False

    def spread_seconds(self, connector_id: str) -> float:
        return 0.0

    def held_seconds(self) -> float:
        return 0.0

    async def admit(self, cost: float) -> None:
        await trio.lowlevel.checkpoint()

    def ban(self, seconds: float) -> None:
        return


class Backoff(Protocol):
    """How long to stay away after the ``failures``-th failure in a row."""

    def seconds(self, failure: PollFailed, failures: int, interval_seconds: float) -> float: ...
