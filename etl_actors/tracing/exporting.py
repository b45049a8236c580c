"""Sends spans over OTLP, in a thread of the library's own; what it does not get rid of in time is dropped."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Tracer


class Exporter(Struct, frozen=True):
    """``close`` sends what is left, and blocks meanwhile."""

    tracer: Tracer
    close: Callable[[], None]


def open_exporter(version: str, environment: Mapping[str, str]) -> Exporter:
    """As the ``OTEL_`` variables say: endpoint, headers, sampler, resource."""
    name = environment.get("OTEL_SERVICE_NAME") or "etl-actors"
    resource = Resource.create({"service.name": name, "service.version": version})
    # The process ends when we say so, not when the library's hook at exit has waited for a collector.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Exporter(provider.get_tracer("etl_actors", version), provider.shutdown)
