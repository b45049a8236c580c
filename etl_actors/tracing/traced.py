"""Spans of what is over: an answer's poll, its mapping, its commit, and its way to the sockets.

The actors tell how long a stage took when it has ended, so each span is begun in the past and ended at once, and
nothing is kept open. What connects them is the id of the extraction, which is that of its event too. No span says what
was asked or answered: a url may hold a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from time import time_ns
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Tracer, set_span_in_context

from ..messages import Event, Extracted, Transformed
from .needs import Timings

# An extraction that belongs to somebody else by now never gets to its end; the oldest make room.
MOST_UNDER_WAY = 10_000

_ROOTS = {"response": "poll", "frame": "frame"}


class Traced:
    """Passes on to ``timings`` what it is told, and makes spans of it."""

    def __init__(self, timings: Timings, tracer: Tracer) -> None:
        self._timings = timings
        self._tracer = tracer
        self._under_way: dict[UUID, Context] = {}
        self.answered = timings.answered
        self.forget = timings.forget

    def transformed(self, extracted: Extracted, seconds: float) -> None:
        """The first that is heard of an extraction: its poll is over, too. What a notice says was asked of nobody."""
        self._timings.transformed(extracted, seconds)
        name = _ROOTS.get(extracted.kind)
        if name is None:
            return
        received = _nanoseconds(extracted.received_at)
        root = self._tracer.start_span(
            name,
            Context(),
            SpanKind.CLIENT,
            attributes={
                "etl.connector": extracted.connector_id,
                "etl.extraction": str(extracted.extraction_id),
                "etl.bytes": len(extracted.body),
            },
            start_time=received - extracted.response_time_ms * 1_000_000,
        )
        root.end(received)
        if not root.get_span_context().trace_flags.sampled:
            return
        context = self._under_way[extracted.extraction_id] = set_span_in_context(root, Context())
        self._span("transform", context, seconds)
        if len(self._under_way) > MOST_UNDER_WAY:
            del self._under_way[next(iter(self._under_way))]

    def committed(self, parts: Sequence[Transformed], seconds: float) -> None:
        """They share a commit; each has a span of it."""
        self._timings.committed(parts, seconds)
        for part in parts:
            context = self._under_way.get(part.extraction_id)
            if context is not None:
                facts = {"etl.items": len(part.items), "etl.rejected": len(part.rejected), "etl.batch": len(parts)}
                self._span("commit", context, seconds, facts)
                if not part.store_response:  # it has no event, so this is the end
                    del self._under_way[part.extraction_id]

    def handed_out(self, events: Sequence[Event], seconds: float) -> None:
        """From the end of the commit on."""
        self._timings.handed_out(events, seconds)
        for event in events:
            context = self._under_way.pop(event.event_id, None)
            if context is not None:
                self._span("hand-out", context, seconds, {"etl.offset": event.offset})

    def _span(self, name: str, context: Context, seconds: float, facts: dict[str, int] | None = None) -> None:
        now = time_ns()
        begun = now - int(seconds * 1e9)
        self._tracer.start_span(name, context, attributes=facts, start_time=begun).end(now)


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1_000
