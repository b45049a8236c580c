"""How a stream numbers what it sends (``sequence``), so that what is missing is seen, and an order book stays exact."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from .terms import Expression

KEY = "{key}"
"""Where the key goes in the url of a snapshot."""


class Snapshot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the whole order book of a key is to be had; JMESPath tells where in the answer.

    ``{key}`` in ``url`` is the key, percent-encoded. A call counts ``cost`` against ``limit``, by default that of the
    connector. No credentials are sent.
    """

    url: str
    limit: str | None = None
    cost: Annotated[int, Meta(ge=0)] = 1
    timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 10
    last: Expression = "lastUpdateId"
    bids: Expression = "bids"
    asks: Expression = "asks"


class Sequence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which numbers a frame covers, ``first`` to ``last`` (without it, ``first`` alone), of which ``key``.

    A frame where ``key`` or ``first`` is null has no number and is left alone. Without ``key`` all frames are of one
    sequence. ``per_connection``: the provider begins to count anew on each connection.

    With ``on_gap = "resync"`` the frames are changes of an order book: ``bids`` and ``asks`` are their lists of
    ``[price, quantity, …]``, ``depth`` is how many levels of each side the mapping of items gets to see.
    """

    key: Expression | None = None
    first: Expression
    last: Expression | None = None
    per_connection: bool = False
    max_keys: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    on_gap: Literal["report", "resync"] = "report"
    bids: Expression | None = None
    asks: Expression | None = None
    depth: Annotated[int, Meta(ge=1, le=5000)] = 10
    snapshot: Snapshot | None = None

    def frame_expressions(self) -> dict[str, str | None]:
        """What is read of frames, by key path."""
        return {name: getattr(self, name) for name in ("key", "first", "last", "bids", "asks")}

    def snapshot_expressions(self) -> dict[str, str | None]:
        """What is read of snapshots, by key path."""
        found = self.snapshot
        return {} if found is None else {f"snapshot.{name}": getattr(found, name) for name in ("last", "bids", "asks")}
