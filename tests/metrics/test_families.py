"""What becomes of statistics: names, labels and values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric

from etl_actors.actors.broadcaster import BroadcasterStatistics
from etl_actors.actors.connector_status import ConnectorStatistics
from etl_actors.actors.janitor import JanitorStatistics
from etl_actors.actors.loader import LoaderStatistics
from etl_actors.actors.socket_connector import SocketStatistics
from etl_actors.actors.transformer import TransformerStatistics
from etl_actors.files.desk import DeskStatistics
from etl_actors.metrics.connectors import connector_families, transformer_families
from etl_actors.metrics.flow import spool_families
from etl_actors.metrics.limits import limit_families, provider_families
from etl_actors.metrics.readings import ConnectorReading, Readings
from etl_actors.metrics.storage import database_families, file_families
from etl_actors.settings import ServiceSettings
from etl_actors.settings.service import Retention
from etl_actors.sources.pacing import LimitStatistics, WindowUse
from etl_actors.spool import SpoolStatistics

HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


def readings(**told: Any) -> Readings:
    """Of a service in which nothing goes on, except what is ``told``."""
    nothing: dict[str, Any] = {
        "ready": True,
        "database_up": True,
        "connectors": [],
        "transformer": TransformerStatistics(items={}, rejected={}, refusals={}, last_refusals={}, warnings={}),
        "loader": LoaderStatistics(
            batches=0, rows=0, refused=0, spooled=0, waits=False, head=0, waiting_seconds=0.0, last_error=None
        ),
        "broadcaster": BroadcasterStatistics(
            subscribers=0, replaying=0, events=0, too_slow=0, dropped=0, head=0, waiting_bytes=0, fullest_bytes=0,
            recent_bytes=0,
        ),
        "janitor": JanitorStatistics(sweeps=0, stored_bytes=0, last_error=None),
        "surveyors": {},
        "actors": [],
        "channels": {},
        "limits": {},
        "pools": {},
        "partitions": {},
        "files": DeskStatistics(arriving=0, parsed=0, waiting=0),
        "spool": SpoolStatistics(
            batches=0, rows=0, bytes=0, max_bytes=1, oldest_seconds=None, damaged=0, full=False
        ),
        "large_bytes": 0,
    }  # fmt: skip
    return Readings(**nothing | told)


def samples(families: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    """Every value by the name of its metric and the values of its labels."""
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_a_stream_tells_of_frames_and_a_poll_of_its_interval() -> None:
    """Each has what it has; one that does not run has only its state."""
    poll = ConnectorStatistics(
        state="running", polls=9, failures=3, consecutive_failures=1, effective_interval_seconds=36, stale=True
    )
    stream = SocketStatistics(
        state="running", frames=70, copies=2, connections=4, polls=4, connected_since=HOUR_AGO, last_success=HOUR_AGO
    )
    told = samples(
        connector_families(
            readings(
                connectors=[
                    ConnectorReading("poll", "failing", poll),
                    ConnectorReading("stream", "running", stream),
                    ConnectorReading("off", "stopped", None),
                ]
            )
        )
    )
    assert told["etl_connector_state", "poll", "failing"] == told["etl_connector_state", "off", "stopped"] == 1
    assert sum(value for (name, *_), value in told.items() if name == "etl_connector_state") == 3
    assert told["etl_connector_polls_total", "poll"] == 9
    assert told["etl_connector_failures_total", "poll"] == 3
    assert told["etl_connector_consecutive_failures", "poll"] == told["etl_connector_stale", "poll"] == 1
    assert told["etl_connector_effective_interval_seconds", "poll"] == 36
    assert told["etl_connector_frames_total", "stream"] == 70
    assert told["etl_connector_copies_total", "stream"] == 2
    assert told["etl_connector_connected", "stream"] == 1
    assert told["etl_connector_last_success_age_seconds", "stream"] >= 3600
    assert ("etl_connector_last_success_age_seconds", "poll") not in told
    assert ("etl_connector_frames_total", "poll") not in told
    assert ("etl_connector_effective_interval_seconds", "stream") not in told
    assert [name for name, *labels in told if labels == ["off"]] == []


def test_items_are_told_of_the_connectors_that_there_are() -> None:
    """From zero on, since what appears with a value has no rate; and never of an id that somebody made up."""
    counted = TransformerStatistics(
        items={"a": 5, "gone": 7}, rejected={"a": 1}, refusals={}, last_refusals={}, warnings={"b": "null"}
    )
    there = [ConnectorReading(name, "running", ConnectorStatistics(state="running")) for name in ("a", "b")]
    told = samples(transformer_families(readings(connectors=there, transformer=counted)))
    assert told["etl_transformer_items_total", "a"] == 5
    assert told["etl_transformer_items_total", "b"] == told["etl_transformer_rejected_total", "b"] == 0
    assert told["etl_transformer_field_warning", "b"] == 1
    assert not [labels for labels in told if "gone" in labels]


@pytest.mark.parametrize("cap", [0, 1_000])
def test_a_cap_that_is_none_is_not_told(cap: int) -> None:
    """Nothing must be divided by it."""
    now = readings(janitor=JanitorStatistics(sweeps=1, stored_bytes=500, last_error="away"))
    settings = ServiceSettings(retention=Retention(max_bytes=cap))
    told = samples([*database_families(now, cap), *limit_families(settings, now)])
    assert told["etl_database_stored_bytes",] == 500
    assert told["etl_janitor_failing",] == 1
    assert (("etl_database_max_bytes",) in told) == (("etl_limit", "retention.max_bytes") in told) == bool(cap)
    assert (("etl_limit_used", "retention.max_bytes") in told) == bool(cap)


def test_a_disk_that_does_not_answer_is_left_out() -> None:
    """The rest is told."""
    assert ("etl_data_folder_free_bytes",) not in samples(file_families(readings(), None))
    assert samples(file_families(readings(), 5))["etl_data_folder_free_bytes",] == 5


def test_a_provider_tells_each_of_its_windows() -> None:
    """A minute of weight and a day of requests are two."""
    windows = (
        WindowUse(seconds=60, weighed=True, allowed=6000, used=80),
        WindowUse(seconds=86400, weighed=False, allowed=100, used=3),
    )
    limit = LimitStatistics(connectors=2, held_seconds=1.5, windows=windows)
    told = samples(provider_families(readings(limits={"binance": limit})))
    assert told["etl_provider_limit", "binance", "60", "weight"] == 6000
    assert told["etl_provider_limit_used", "binance", "60", "weight"] == 80
    assert told["etl_provider_limit_used", "binance", "86400", "requests"] == 3
    assert told["etl_provider_held_seconds", "binance"] == 1.5


def test_the_spool_tells_what_waits_and_how_long() -> None:
    """The age of the oldest, 0 where none waits."""
    empty = samples(spool_families(readings()))
    assert empty["etl_spool_oldest_seconds",] == 0
    spool = SpoolStatistics(batches=3, rows=70, bytes=9, max_bytes=10, oldest_seconds=61.5, damaged=2, full=True)
    told = samples(spool_families(readings(spool=spool)))
    assert told["etl_spool_oldest_seconds",] == 61.5
    assert (told["etl_spool_batches",], told["etl_spool_full",], told["etl_spool_damaged_total",]) == (3, 1, 2)
