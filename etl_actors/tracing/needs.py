"""What the tracing room stands in front of: whoever the actors tell how long things take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..messages import Event, Extracted, Transformed


class Timings(Protocol):
    """Is told of each stage when it is over, and how many seconds it took."""

    def answered(self, connector_id: str, seconds: float, /) -> None: ...
    def transformed(self, extracted: Extracted, seconds: float, /) -> None: ...
    def committed(self, parts: Sequence[Transformed], seconds: float, /) -> None: ...
    def handed_out(self, events: Sequence[Event], seconds: float, /) -> None: ...
    def forget(self, connector_id: str, /) -> None: ...
