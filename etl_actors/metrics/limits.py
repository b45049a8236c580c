"""Every bound of the house with its value, and its use where somebody knows it; and what the providers allow us."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from ..actors.broadcaster import RECENT_BYTES
from ..files.desk import MOST_ARRIVING, MOST_PARSED, MOST_WAITING
from ..ledger import MOST_LARGE_BYTES
from ..settings import ServiceSettings
from ..web.access.gate import MAX_HEADER_BYTES, MAX_URL_BYTES
from .families import gauges
from .readings import Readings


def bounds(settings: ServiceSettings, readings: Readings) -> dict[str, tuple[float, float | None]]:
    """The bounds that are in force, by name, each with its use; one without is looked at for each request by itself.

    Settings are called as in ``service.toml``; the others cannot be changed.
    """
    feed, files = readings.broadcaster, readings.files
    found: dict[str, tuple[float, float | None]] = {
        "server.max_body_bytes": (settings.server.max_body_bytes, None),
        "upstream.max_response_bytes": (settings.upstream.max_response_bytes, None),
        "upstream.max_depth": (settings.upstream.max_depth, None),
        "upstream.max_values": (settings.upstream.max_values, None),
        "loader.max_batch_rows": (settings.loader.max_batch_rows, None),
        "database.max_connections": (
            sum(pool.max for pool in readings.pools.values()),
            sum(pool.open for pool in readings.pools.values()),
        ),
        "retention.max_bytes": (settings.retention.max_bytes, readings.janitor.stored_bytes),
        "live.subscriber_buffer_bytes": (settings.live.subscriber_buffer_bytes, feed.fullest_bytes),
        "security.failed_keys_per_minute": (settings.security.failed_keys_per_minute, None),
        "security.requests_per_minute": (settings.security.requests_per_minute, None),
        "pipeline.large_bytes": (MOST_LARGE_BYTES, readings.large_bytes),
        "live.recent_bytes": (RECENT_BYTES, feed.recent_bytes),
        "files.arriving": (MOST_ARRIVING, files.arriving),
        "files.parsed": (MOST_PARSED, files.parsed),
        "files.waiting": (MOST_WAITING, files.waiting),
        "web.header_bytes": (MAX_HEADER_BYTES, None),
        "web.url_bytes": (MAX_URL_BYTES, None),
    }
    found |= {
        f"channel.{name}_messages": (fill["capacity"], fill["waiting"]) for name, fill in readings.channels.items()
    }
    return {name: bound for name, bound in found.items() if bound[0]}  # 0 is no bound


def limit_families(settings: ServiceSettings, readings: Readings) -> Iterator[Metric]:
    """Value and use have the same label, so that one is divided by the other."""
    found = bounds(settings, readings)
    yield gauges(
        "etl_limit",
        "A bound of this service, in the unit that its name ends with, else in pieces.",
        ("limit",),
        (((name,), value) for name, (value, _) in found.items()),
    )
    yield gauges(
        "etl_limit_used",
        "How much of the bound is used at this moment, where it is shared.",
        ("limit",),
        (((name,), used) for name, (_, used) in found.items() if used is not None),
    )


def provider_families(readings: Readings) -> Iterator[Metric]:
    """What each provider allows, and what was used of it lately."""
    providers = readings.limits.items()
    windows = [
        ((name, f"{window.seconds:g}", "weight" if window.weighed else "requests"), window)
        for name, limit in providers
        for window in limit.windows
    ]
    labels = ("provider", "window_seconds", "counts")
    yield gauges(
        "etl_provider_limit",
        "What [limits.NAME] allows in a window.",
        labels,
        ((values, window.allowed) for values, window in windows),
    )
    yield gauges(
        "etl_provider_limit_used",
        "What was used of it in the window that ends now.",
        labels,
        ((values, window.used) for values, window in windows),
    )
    yield gauges(
        "etl_provider_held_seconds",
        "For how long the provider lets nobody through.",
        ("provider",),
        (((name,), limit.held_seconds) for name, limit in providers),
    )
    yield gauges(
        "etl_provider_connectors",
        "Connectors that share the limit.",
        ("provider",),
        (((name,), limit.connectors) for name, limit in providers),
    )
