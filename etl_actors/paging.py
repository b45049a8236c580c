"""Which stored rows somebody wants: the question that the web room reads from a request and storage answers."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

Key = tuple[datetime, int]
"""The place of a row in time order: its timestamp and its id."""


class Page(Struct, frozen=True, kw_only=True):
    """Which rows, in which order, and which slice of them. Times are UTC; ``after`` is the key of the last row seen."""

    connector_id: str | None = None
    symbol: str | None = None
    exchange: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    newest_first: bool = True
    limit: int = 100
    offset: int = 0
    after: Key | None = None
    exact_total: bool = False

    @property
    def counted_by_connector(self) -> bool:
        """Whether the kept row counts answer how many there are."""
        return self.symbol is None and self.exchange is None and self.since is None and self.until is None


class Total(Struct, frozen=True):
    """How many rows match; when not ``exact``, at least ``rows``."""

    rows: int
    exact: bool = True
