"""The metrics of what is stored: database, retention, files, symbol tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client.metrics_core import Metric

from .families import counter, gauge, gauges
from .readings import Readings


def database_families(readings: Readings, max_bytes: int) -> Iterator[Metric]:
    """``max_bytes`` is the cap of all partitions; 0 is none, and then no metric says so."""
    pools = readings.pools.items()
    yield gauge("etl_database_up", "1 while the database answers.", float(readings.database_up))
    yield gauges(
        "etl_database_connections",
        "Open connections of each pool, by what they do.",
        ("pool", "state"),
        (
            ((name, state), count)
            for name, pool in pools
            for state, count in (("in_use", pool.in_use), ("idle", pool.idle))
        ),
    )
    yield gauges(
        "etl_database_connections_max",
        "How many connections a pool may have.",
        ("pool",),
        (((name,), pool.max) for name, pool in pools),
    )
    yield gauges(
        "etl_database_waiting",
        "Tasks that wait for a connection.",
        ("pool",),
        (((name,), pool.waiting) for name, pool in pools),
    )
    yield gauge(
        "etl_database_stored_bytes", "Size of all partitions on disk, as the last sweep found it.",
        readings.janitor.stored_bytes,
    )  # fmt: skip
    if max_bytes:
        yield gauge("etl_database_max_bytes", "[retention] max_bytes: over it the oldest partitions go.", max_bytes)
    yield gauges(
        "etl_database_partitions",
        "Partitions of each table.",
        ("table",),
        (((table,), count) for table, count in readings.partitions.items()),
    )
    yield counter("etl_janitor_sweeps", "Times that retention was enforced.", readings.janitor.sweeps)
    yield gauge("etl_janitor_failing", "1 when the last sweep failed.", float(readings.janitor.last_error is not None))


def file_families(readings: Readings, free_bytes: int | None) -> Iterator[Metric]:
    """Files on their way; ``free_bytes`` is what the disk of the data folder has, where that is known."""
    yield gauge("etl_files_arriving", "Files on their way in.", readings.files.arriving)
    yield gauge("etl_files_parsed", "Files that are read now.", readings.files.parsed)
    yield gauge("etl_files_waiting", "Files that wait for a place.", readings.files.waiting)
    if free_bytes is not None:
        yield gauge("etl_data_folder_free_bytes", "Free space on the disk of the data folder.", free_bytes)


def symbol_families(readings: Readings) -> Iterator[Metric]:
    """The symbol table of each source."""
    now, tables = datetime.now(UTC), readings.surveyors.items()
    yield gauges(
        "etl_symbols_pairs",
        "Pairs that the source's symbol table knows.",
        ("source",),
        (((name,), table.pairs) for name, table in tables),
    )
    yield gauges(
        "etl_symbols_age_seconds",
        "How long ago the source was asked for its pairs; nothing before the first answer.",
        ("source",),
        (
            ((name,), max((now - table.refreshed_at).total_seconds(), 0.0))
            for name, table in tables
            if table.refreshed_at is not None
        ),
    )
