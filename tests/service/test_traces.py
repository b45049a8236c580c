"""Traces of a running service, as a collector gets them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from etl_actors.sandbox.exchange import Sandbox

from .running import pointed_config, running

STAGES = {"poll", "transform", "commit", "hand-out"}


class Collector:
    """Takes OTLP over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[bytes] = []

    def traces(self) -> dict[bytes, dict[str, Span]]:
        """Every span by its trace and its name."""
        found: dict[bytes, dict[str, Span]] = {}
        for body in list(self.bodies):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        found.setdefault(span.trace_id, {})[span.name] = span
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """One on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_a_collector_gets_every_stage_of_an_answer(sandbox: Sandbox, folder: Path) -> None:
    """One trace for each, and what is left leaves before the end; no url in any."""
    with collecting() as collector:
        config = pointed_config(folder / "config", sandbox.origins)
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        async with running(config, folder / "data", environment=environment) as service:
            with trio.fail_after(20):
                while not any(spans.keys() >= STAGES for spans in collector.traces().values()):  # noqa: ASYNC110
                    await trio.sleep(0.1)
            assert await service.stop() == 0
    spans = next(spans for spans in collector.traces().values() if spans.keys() >= STAGES)
    assert {spans[name].parent_span_id for name in STAGES - {"poll"}} == {spans["poll"].span_id}
    ends = [spans[name].end_time_unix_nano for name in ("poll", "transform", "commit", "hand-out")]
    assert ends == sorted(ends)
    assert b"127.0.0.1" not in b"".join(collector.bodies)
    assert b"etl-actors" in collector.bodies[0]


async def test_a_collector_that_is_away_holds_up_nothing(sandbox: Sandbox, folder: Path) -> None:
    """Data flows, and a stop is a stop."""
    config = pointed_config(folder / "config", sandbox.origins)
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "200"}
    async with running(config, folder / "data", environment=environment) as service:
        await service.until("/api/data/items", lambda answer: answer["items"])
        assert await service.stop() == 0
    assert "Traceback" not in service.log.read_text()
