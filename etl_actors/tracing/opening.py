"""Whether traces are sent, and where to: what the environment says, in OpenTelemetry's own variables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
import trio

from .needs import Timings

log = structlog.get_logger("tracing")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
# What spans that were not sent yet get at the end. A collector that is away must not hold up a stop.
LAST_SECONDS = 3.0


@asynccontextmanager
async def open_tracing(timings: Timings, version: str, environment: Mapping[str, str]) -> AsyncIterator[Timings]:
    """Who the actors tell how long things take: ``timings`` itself, or what also makes spans of it."""
    if not any(environment.get(name) for name in ENDPOINTS) or environment.get("OTEL_SDK_DISABLED") == "true":
        yield timings
        return
    try:
        from .exporting import open_exporter  # only who sends traces needs the libraries
        from .traced import Traced
    except ImportError:
        log.warning("tracing.not_installed", mend="pip install 'etl-actors[otel]'")
        yield timings
        return
    exporter = open_exporter(version, environment)
    try:
        yield Traced(timings, exporter.tracer)
    finally:
        with trio.move_on_after(LAST_SECONDS, shield=True):
            await trio.to_thread.run_sync(exporter.close, abandon_on_cancel=True)
