"""Traces: each answer of a provider as one trace, with a span for every room it went through.

Off unless an OTLP endpoint is named in the environment, as everywhere in OpenTelemetry; then nothing of it is imported,
and the actors talk to the histograms directly. When it is on, :class:`~.traced.Traced` stands between them: it is told
what they are told, and writes down a span for it. The extra ``otel`` brings the libraries.
"""

from .opening import open_tracing

__all__ = ["open_tracing"]
