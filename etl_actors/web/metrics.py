"""``GET /metrics``: what Prometheus scrapes."""

from __future__ import annotations

from quart import Blueprint, Response, request
from werkzeug.datastructures import MIMEAccept

from .openapi.documented import Answer, documented
from .ports import Metrics

TEXT = "text/plain"
OPENMETRICS = "application/openmetrics-text"
CONTENT_TYPES = {
    TEXT: "text/plain; version=0.0.4; charset=utf-8",
    OPENMETRICS: "application/openmetrics-text; version=1.0.0; charset=utf-8",
}
_BODY = {"type": "string", "example": '# TYPE etl_connector_stale gauge\netl_connector_stale{connector="b"} 0.0\n'}


def metrics_routes(metrics: Metrics) -> Blueprint:
    """The route of this file."""
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    @documented(
        "Metrics for Prometheus",
        answers={
            200: Answer(
                None, "Every metric; by `Accept` as OpenMetrics.", media={TEXT: _BODY, OPENMETRICS: {"type": "string"}}
            )
        },
    )
    async def metrics_() -> Response:
        kind = _wanted(request.accept_mimetypes)
        body = await metrics.scrape(openmetrics=kind == OPENMETRICS)
        response = Response(body, content_type=CONTENT_TYPES[kind])
        response.headers.add("Vary", "Accept")
        return response

    return routes


def _wanted(accept: MIMEAccept) -> str:
    """The one of both that is liked best. Which version of it is asked for does not matter: there is one of each."""
    bare = MIMEAccept([(value.partition(";")[0].strip(), quality) for value, quality in accept])
    return bare.best_match([TEXT, OPENMETRICS], TEXT)
