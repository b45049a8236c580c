"""The text that a scrape gets: read and written a slice at a time, one scrape after the other.

Not in a worker thread: whenever the loop lets go of the interpreter, which it does with each write to a socket, such a
thread takes it for 5 ms. A hand-out to many sockets would wait until everything is written.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator

import trio
from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric

from .connectors import connector_families, transformer_families
from .families import gauge, info
from .flow import actor_families, broadcaster_families, channel_families, loader_families, spool_families
from .limits import limit_families, provider_families
from .readings import SLICE_SECONDS, Readings, Sources
from .storage import database_families, file_families, symbol_families
from .timings import Timings
from .writing import written


class Exposition:
    """Answers scrapes. ``free_bytes()`` says what the disk has; it may block, and raise OSError."""

    def __init__(self, sources: Sources, timings: Timings, version: str, free_bytes: Callable[[], int]) -> None:
        self._sources = sources
        self._timings = timings
        self._facts = {"version": version, "python": platform.python_version()}
        self._database = {name: str(sources.storage.statistics()[name]) for name in ("kind", "version")}
        self._free_bytes = free_bytes
        self._turn = trio.Lock()
        ProcessCollector(registry=timings.registry)

    async def scrape(self, *, openmetrics: bool) -> bytes:
        """Everything, as Prometheus' text format 0.0.4 or as OpenMetrics 1.0.0."""
        async with self._turn:
            free_bytes = await trio.to_thread.run_sync(self._free)
            families = self._families(await self._sources.read(), free_bytes)
            pieces: list[bytes] = []
            slice_end = trio.current_time() + SLICE_SECONDS
            for piece in written(families, openmetrics=openmetrics):
                pieces.append(piece)
                if trio.current_time() > slice_end:
                    await trio.lowlevel.checkpoint()
                    slice_end = trio.current_time() + SLICE_SECONDS
            return b"".join(pieces)

    def _families(self, readings: Readings, free_bytes: int | None) -> Iterator[Metric]:
        settings = self._sources.settings
        yield info("etl_build", "Which service this is.", self._facts)
        yield info("etl_database", "Which database it uses.", self._database)
        yield gauge("etl_ready", "1 while GET /readyz answers 200.", float(readings.ready))
        yield from connector_families(readings)
        yield from transformer_families(readings)
        yield from channel_families(readings)
        yield from loader_families(readings)
        yield from spool_families(readings)
        yield from broadcaster_families(readings)
        yield from actor_families(readings)
        yield from database_families(readings, settings.retention.max_bytes)
        yield from file_families(readings, free_bytes)
        yield from symbol_families(readings)
        yield from limit_families(settings, readings)
        yield from provider_families(readings)
        yield from self._timings.families()
        # What is begun and never ends shows here, before it shows in the memory.
        tasks = trio.lowlevel.current_statistics().tasks_living
        yield gauge("etl_event_loop_tasks", "Tasks that live in the event loop; each open socket has several.", tasks)

    def _free(self) -> int | None:
        try:
            return self._free_bytes()
        except OSError:
            return None
