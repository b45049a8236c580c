"""The metrics of each connector, and of what becomes of its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import get_args

from prometheus_client.metrics_core import Metric

from ..actors.connector_status import ConnectorStatistics, State
from ..actors.socket_connector import SocketStatistics
from .families import Rows, counters, gauges, states
from .readings import Readings

_CONNECTOR = ("connector",)


def connector_families(readings: Readings) -> Iterator[Metric]:
    """Every connector, by its id."""
    running = [(one.connector_id, one.statistics) for one in readings.connectors if one.statistics is not None]
    streams = [(name, statistics) for name, statistics in running if isinstance(statistics, SocketStatistics)]

    def each(value: Callable[[ConnectorStatistics], float]) -> Rows:
        return (((name,), value(statistics)) for name, statistics in running)

    def each_stream(value: Callable[[SocketStatistics], float]) -> Rows:
        return (((name,), value(statistics)) for name, statistics in streams)

    yield states(
        "etl_connector_state",
        "1 for the state that the connector is in, as its status route tells it.",
        "connector",
        get_args(State),
        ((one.connector_id, one.state) for one in readings.connectors),
    )
    yield counters(
        "etl_connector_polls",
        "Times that the provider was asked; of a stream, times that it was connected.",
        _CONNECTOR,
        each(lambda one: one.polls),
    )
    yield counters(
        "etl_connector_failures",
        "Times that a poll brought no answer, or that a stream broke.",
        _CONNECTOR,
        each(lambda one: one.failures),
    )
    yield counters(
        "etl_connector_unchanged",
        "Polls whose answer was the one before.",
        _CONNECTOR,
        each(lambda one: one.unchanged),
    )
    yield counters(
        "etl_connector_frames", "Frames that a stream brought.", _CONNECTOR, each_stream(lambda one: one.frames)
    )
    yield counters(
        "etl_connector_copies",
        "Frames that a stream brought twice, since two of its sockets overlapped.",
        _CONNECTOR,
        each_stream(lambda one: one.copies),
    )
    yield gauges(
        "etl_connector_connected",
        "1 while a stream has a socket.",
        _CONNECTOR,
        each_stream(lambda one: float(one.connected_since is not None)),
    )
    yield gauges(
        "etl_connector_consecutive_failures",
        "Failures since the last success.",
        _CONNECTOR,
        each(lambda one: one.consecutive_failures),
    )
    yield gauges(
        "etl_connector_stale",
        "1 when nothing fresh came for as long as stale_after_seconds.",
        _CONNECTOR,
        each(lambda one: float(one.stale)),
    )
    now = datetime.now(UTC)
    yield gauges(
        "etl_connector_last_success_age_seconds",
        "How long ago the last success was; nothing before the first.",
        _CONNECTOR,
        (
            ((name,), max((now - one.last_success).total_seconds(), 0.0))
            for name, one in running
            if one.last_success is not None
        ),
    )
    yield gauges(
        "etl_connector_effective_interval_seconds",
        "How far apart its polls are, as stretched to what the provider allows.",
        _CONNECTOR,
        (((name,), one.effective_interval_seconds) for name, one in running if not isinstance(one, SocketStatistics)),
    )
    yield gauges(
        "etl_connector_retry_after_seconds",
        "What is left of the wait that the provider asked for.",
        _CONNECTOR,
        each(lambda one: one.retry_after_seconds or 0.0),
    )


def transformer_families(readings: Readings) -> Iterator[Metric]:
    """What the answers of each connector became."""
    names = [one.connector_id for one in readings.connectors]
    items, rejected = readings.transformer.items, readings.transformer.rejected
    yield counters(
        "etl_transformer_items",
        "Items that were made of its answers.",
        _CONNECTOR,
        (((name,), items.get(name, 0)) for name in names),
    )
    yield counters(
        "etl_transformer_rejected",
        "Answers and elements of answers that could not be mapped.",
        _CONNECTOR,
        (((name,), rejected.get(name, 0)) for name in names),
    )
    yield gauges(
        "etl_transformer_field_warning",
        "1 while a mapped field is null in every item of its newest answer, most often a typo in the mapping.",
        _CONNECTOR,
        (((name,), float(name in readings.transformer.warnings)) for name in names),
    )
