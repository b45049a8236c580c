"""Spans of what is over, made of what the actors tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler

from etl_actors.messages import Event, Transformed
from etl_actors.metrics import Timings
from etl_actors.tracing import open_tracing
from etl_actors.tracing.traced import MOST_UNDER_WAY, Traced

from ..actors.events import event
from ..actors.parts import extracted, transformed


class Scene:
    """The real thing over the real histograms; its spans stay in memory."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.timings = Timings()
        self.traced = Traced(self.timings, provider.get_tracer("tests"))

    def extract(self, **changes: Any) -> Transformed:
        """Something was read and mapped; its part of a batch."""
        one = extracted({}, received_at=datetime.now(UTC) - timedelta(seconds=1), response_time_ms=250, **changes)
        self.traced.transformed(one, 0.01)
        return transformed(extraction_id=one.extraction_id, kind=one.kind)

    def spans(self) -> Sequence[ReadableSpan]:
        """Those that ended."""
        return self._exporter.get_finished_spans()

    def names(self) -> list[str]:
        """What they are called."""
        return [span.name for span in self.spans()]


@pytest.fixture
def scene() -> Iterator[Scene]:
    """One in which everything is sampled."""
    return Scene()


def event_of(part: Transformed, offset: int = 1) -> Event:
    """Its entry in the log."""
    return replace(event(offset), event_id=part.extraction_id)


def test_an_answer_is_one_trace_from_its_poll_to_the_sockets(scene: Scene) -> None:
    """Below the poll, each stage in its time; a batch is committed for all of its parts."""
    first, second = scene.extract(), scene.extract(kind="frame")
    scene.traced.committed([first, second], 0.02)
    scene.traced.handed_out([event_of(first, 7), event_of(second, 8)], 0.003)
    assert scene.names() == ["poll", "transform", "frame", "transform", "commit", "commit", "hand-out", "hand-out"]
    spans = [span for span in scene.spans() if span.context.trace_id == scene.spans()[0].context.trace_id]
    root, *stages = spans
    assert [span.name for span in spans] == ["poll", "transform", "commit", "hand-out"]
    assert root.parent is None
    assert {span.parent.span_id for span in stages if span.parent} == {root.context.span_id}
    assert [round((span.end_time - span.start_time) / 1e6) for span in spans] == [250, 10, 20, 3]  # type: ignore[operator]
    assert dict(root.attributes or {})["etl.connector"] == first.connector_id
    assert UUID(str((root.attributes or {})["etl.extraction"])) == first.extraction_id
    assert dict(stages[-1].attributes or {}) == {"etl.offset": 7}


def test_the_histograms_are_told_all_the_same(scene: Scene) -> None:
    """It stands between, and keeps nothing for itself."""
    part = scene.extract()
    scene.traced.committed([part], 0.02)
    scene.traced.handed_out([event_of(part)], 0.003)
    scene.traced.answered("one", 0.2)

    def sample(name: str, labels: dict[str, str] | None = None) -> float | None:
        samples = (one for family in scene.timings.families() for one in family.samples)
        return next((one.value for one in samples if (one.name, one.labels) == (name, labels or {})), None)

    for name in ("transform_duration", "commit_duration", "commit_lag", "handout_lag"):
        assert sample(f"etl_{name}_seconds_count") == 1
    assert sample("etl_connector_poll_latency_seconds_count", {"connector": "one"}) == 1
    scene.traced.forget("one")
    assert sample("etl_connector_poll_latency_seconds_count", {"connector": "one"}) is None


def test_what_has_no_event_ends_with_its_commit(scene: Scene) -> None:
    """A refused body; the trace of a notice does not even begin, nor does that of what a caller extracted."""
    part = replace(scene.extract(), store_response=False)
    scene.traced.committed([part, transformed()], 0.02)
    scene.traced.committed([part], 0.02)
    notice = scene.extract(kind="notice")
    scene.traced.committed([notice], 0.02)
    scene.traced.handed_out([event_of(part), event_of(notice)], 0.003)
    assert scene.names() == ["poll", "transform", "commit"]


def test_what_is_not_sampled_is_not_remembered() -> None:
    """Whoever samples one in a thousand pays for one in a thousand."""
    scene = Scene(ALWAYS_OFF)
    part = scene.extract()
    scene.traced.committed([part], 0.02)
    scene.traced.handed_out([event_of(part)], 0.003)
    assert scene.names() == []


def test_what_never_ends_makes_room(scene: Scene) -> None:
    """Extractions of connectors that were taken over are never committed here."""
    first, *rest = [scene.extract() for _ in range(MOST_UNDER_WAY + 1)]
    scene.traced.committed([first, rest[0]], 0.02)
    assert scene.names().count("commit") == 1


@pytest.mark.parametrize(
    "environment", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}]
)
async def test_without_an_endpoint_nothing_stands_between(environment: dict[str, str]) -> None:
    """The actors talk to the histograms themselves."""
    timings = Timings()
    async with open_tracing(timings, "1", environment) as told:
        assert told is timings
