"""The text that a scrape gets: read on trio's thread, written in a worker thread, one scrape at a time."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from functools import partial

import trio
from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from .connectors import connector_families, transformer_families
from .families import gauge, info
from .flow import actor_families, broadcaster_families, channel_families, loader_families
from .limits import limit_families, provider_families
from .readings import Readings, Sources
from .storage import database_families, file_families, symbol_families
from .timings import Timings


class Exposition:
    """Answers scrapes. ``free_bytes()`` says what the disk has; it may block, and raise OSError."""

    def __init__(self, sources: Sources, timings: Timings, version: str, free_bytes: Callable[[], int]) -> None:
        self._sources = sources
        self._registry = timings.registry
        self._facts = {"version": version, "python": platform.python_version()}
        self._database = {name: str(sources.storage.statistics()[name]) for name in ("kind", "version")}
        self._free_bytes = free_bytes
        self._turn = trio.Lock()
        ProcessCollector(registry=self._registry)

    async def scrape(self, *, openmetrics: bool) -> bytes:
        """Everything, as Prometheus' text format 0.0.4 or as OpenMetrics 1.0.0."""
        async with self._turn:
            readings = await self._sources.read()
            write = generate_openmetrics if openmetrics else generate_latest
            # The work is done in the thread: the generator below runs while it is written.
            return await trio.to_thread.run_sync(write, _Families(partial(self._families, readings)))

    def _families(self, readings: Readings) -> Iterator[Metric]:
        settings = self._sources.settings
        yield info("etl_build", "Which service this is.", self._facts)
        yield info("etl_database", "Which database it uses.", self._database)
        yield gauge("etl_ready", "1 while GET /readyz answers 200.", float(readings.ready))
        yield from connector_families(readings)
        yield from transformer_families(readings)
        yield from channel_families(readings)
        yield from loader_families(readings)
        yield from broadcaster_families(readings)
        yield from actor_families(readings)
        yield from database_families(readings, settings.retention.max_bytes)
        yield from file_families(readings, self._free())
        yield from symbol_families(readings)
        yield from limit_families(settings, readings)
        yield from provider_families(readings)
        yield from self._registry.collect()

    def _free(self) -> int | None:
        try:
            return self._free_bytes()
        except OSError:
            return None


class _Families(Collector):
    """What the library writes down: anything that can be collected."""

    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Metric]:
        """Every metric, in the order in which it is written."""
        return self._collect()
