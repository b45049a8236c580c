"""What a configuration means before it runs: calls a minute, an hour and a month, and gigabytes a day. Pure.

Calls follow from intervals, stretched where a limit demands it. Bytes follow from what each connector is expected to
bring (``expected_response_bytes``, ``expected_items``) and from what a row was measured to take on disk. Of a list that
comes in pages one page a poll is counted: how many there are is not known before it is read.
"""

from __future__ import annotations

from msgspec import Struct

from .settings import Configuration, ConnectorSettings
from .settings.connector import SECONDS_PER
from .sources.quota import Demand, allowances_of, stretched

# Measured on a PostgreSQL 18 with lz4, indexes included, with the sandbox's answers (bench/retention_week.py).
BYTES_PER_ITEM = 300
STORED_SHARE_OF_BODY = 0.25
BYTES_PER_RESPONSE = 600

# Where a connector does not say what it brings.
ASSUMED_RESPONSE_BYTES = 50_000
ASSUMED_ITEMS = 100

DAY = 86_400
GIGABYTE = 1_000_000_000


class ConnectorBudget(Struct, frozen=True, kw_only=True):
    """What one connector costs. ``interval_seconds`` is what it wants, ``effective_seconds`` what its limit lets it."""

    connector_id: str
    limit: str | None
    cost: int
    interval_seconds: float
    effective_seconds: float
    gigabytes_a_day: float
    assumed: bool

    def calls(self, per: str) -> float:
        """Calls in a ``second``, ``minute``, ``hour``, ``day`` or ``month`` (30 days)."""
        return SECONDS_PER[per] / self.effective_seconds


class LimitBudget(Struct, frozen=True, kw_only=True):
    """What all connectors of one limit use of one of its allowances (calls, or weight, in ``per``)."""

    limit: str
    per: str
    unit: str
    used: float
    wanted: float
    allowed: float


class Budget(Struct, frozen=True, kw_only=True):
    """The whole configuration."""

    connectors: tuple[ConnectorBudget, ...]
    limits: tuple[LimitBudget, ...]
    gigabytes_a_day: float
    retention_bytes: int

    @property
    def days_until_full(self) -> float | None:
        """After how many days the cap drops the oldest data; None when it never does."""
        if not self.retention_bytes or not self.gigabytes_a_day:
            return None
        return self.retention_bytes / GIGABYTE / self.gigabytes_a_day


def budget(configuration: Configuration) -> Budget:
    """What ``configuration`` means."""
    enabled = [one for one in configuration.connectors if one.enabled and one.kind == "rest"]
    connectors: list[ConnectorBudget] = []
    limits: list[LimitBudget] = []
    for name in [None, *configuration.limits]:
        members = [one for one in enabled if one.limit == name]
        demands = {one.connector_id: Demand(one.interval_seconds, one.cost) for one in members}
        allowances = allowances_of(configuration.limits[name]) if name else ()
        intervals = stretched(demands, allowances)
        found = [_connector(one, max(intervals[one.connector_id], 1.0)) for one in members]
        connectors.extend(found)
        if name:
            limits.extend(_limits(name, configuration, found))
    return Budget(
        connectors=tuple(connectors),
        limits=tuple(limits),
        gigabytes_a_day=sum(one.gigabytes_a_day for one in connectors),
        retention_bytes=configuration.service.retention.max_bytes,
    )


def _connector(settings: ConnectorSettings, effective_seconds: float) -> ConnectorBudget:
    items = settings.expected_items if settings.expected_items is not None else ASSUMED_ITEMS
    if settings.items is None:
        items = 0
    body = settings.expected_response_bytes or ASSUMED_RESPONSE_BYTES
    poll = BYTES_PER_RESPONSE + body * STORED_SHARE_OF_BODY + items * BYTES_PER_ITEM
    return ConnectorBudget(
        connector_id=settings.connector_id,
        limit=settings.limit,
        cost=settings.cost,
        interval_seconds=settings.interval_seconds,
        effective_seconds=effective_seconds,
        gigabytes_a_day=poll * DAY / effective_seconds / GIGABYTE,
        assumed=settings.expected_response_bytes is None,
    )


def _limits(name: str, configuration: Configuration, members: list[ConnectorBudget]) -> list[LimitBudget]:
    settings = configuration.limits[name]
    found = [
        LimitBudget(
            limit=name,
            per=per,
            unit="calls",
            used=sum(seconds / one.effective_seconds for one in members),
            wanted=sum(seconds / max(one.interval_seconds, 1.0) for one in members),
            allowed=calls,
        )
        for per, (calls, seconds) in settings.request_windows().items()
    ]
    if settings.weight_per_minute is not None:
        found.append(
            LimitBudget(
                limit=name,
                per="minute",
                unit="weight",
                used=sum(60 * one.cost / one.effective_seconds for one in members),
                wanted=sum(60 * one.cost / max(one.interval_seconds, 1.0) for one in members),
                allowed=settings.weight_per_minute,
            )
        )
    return found
