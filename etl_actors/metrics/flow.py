"""The metrics of what lies behind the connectors: channels, loader, broadcaster, and the actors as such."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from ..supervisor import ACTOR_STATES
from .families import counter, counters, gauge, gauges, states
from .readings import Readings


def channel_families(readings: Readings) -> Iterator[Metric]:
    """How full each arrow of the drawing is."""
    channels = readings.channels.items()
    yield gauges(
        "etl_channel_messages",
        "Messages that wait in the channel.",
        ("channel",),
        (((name,), fill["waiting"]) for name, fill in channels),
    )
    yield gauges(
        "etl_channel_capacity_messages",
        "Messages that may wait in the channel; when it is full, the room before it waits.",
        ("channel",),
        (((name,), fill["capacity"]) for name, fill in channels),
    )


def loader_families(readings: Readings) -> Iterator[Metric]:
    """What was stored."""
    loader = readings.loader
    yield counter("etl_loader_batches", "Batches that were committed.", loader.batches)
    yield counter("etl_loader_rows", "Rows that were committed.", loader.rows)
    yield counter("etl_loader_refused", "Answers that PostgreSQL refused, kept as rejected.", loader.refused)
    yield gauge(
        "etl_loader_waiting_seconds", "For how long the batch in hand has been neither stored nor put on disk.",
        loader.waiting_seconds,
    )  # fmt: skip
    yield counter(
        "etl_loader_spooled", "Batches that were put on disk, since they could not be stored.", loader.spooled
    )
    yield gauge("etl_loader_head_offset", "The newest offset that was committed; 0 before the first.", loader.head)


def spool_families(readings: Readings) -> Iterator[Metric]:
    """What waits on disk for the database."""
    spool = readings.spool
    yield gauge("etl_spool_batches", "Batches that wait.", spool.batches)
    yield gauge("etl_spool_rows", "Rows in them.", spool.rows)
    yield gauge("etl_spool_bytes", "What the spool takes on disk.", spool.bytes)
    yield gauge("etl_spool_max_bytes", "What it may take.", spool.max_bytes)
    yield gauge("etl_spool_full", "1 while it takes nothing more.", spool.full)
    yield gauge(
        "etl_spool_oldest_seconds", "Age of the oldest batch that waits; 0 when none does.", spool.oldest_seconds or 0
    )
    yield counter(
        "etl_spool_damaged", "Batches that were lost to damage on disk, since the spool was made.", spool.damaged
    )


def broadcaster_families(readings: Readings) -> Iterator[Metric]:
    """The live feed."""
    feed = readings.broadcaster
    yield gauge("etl_subscribers", "Sockets and streams that listen.", feed.subscribers)
    yield gauge("etl_subscribers_replaying", "Those of them that are behind, and read the log.", feed.replaying)
    yield counter("etl_subscribers_too_slow", "Subscribers that were let go, reading too slowly.", feed.too_slow)
    yield counter("etl_subscriber_events_dropped", "Events that slow subscribers did not get.", feed.dropped)
    yield gauge("etl_subscriber_waiting_bytes", "What waits for all subscribers.", feed.waiting_bytes)
    yield gauge("etl_subscriber_fullest_bytes", "What waits for the subscriber for whom most does.", feed.fullest_bytes)
    yield counter("etl_broadcaster_events", "Events that were published.", feed.events)
    yield gauge("etl_broadcaster_head_offset", "The newest offset that was published.", feed.head)
    yield gauge("etl_broadcaster_recent_bytes", "What is kept for those who come back.", feed.recent_bytes)


def actor_families(readings: Readings) -> Iterator[Metric]:
    """Every actor under supervision."""
    yield states(
        "etl_actor_state",
        "1 for the state that the actor is in.",
        "actor",
        ACTOR_STATES,
        ((one.name, one.state) for one in readings.actors),
    )
    yield counters(
        "etl_actor_restarts",
        "Times that the actor was started again after a crash.",
        ("actor",),
        (((one.name,), one.restarts) for one in readings.actors),
    )
