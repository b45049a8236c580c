"""Is it alive, is it ready, and how is everything: ``/``, ``/healthz``, ``/readyz``, ``/api/status``."""

from __future__ import annotations

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from . import examples
from .answers import Alive, NotReady, Ready, Root, Status
from .openapi.documented import Answer, documented
from .ports import Readiness, Statuses
from .problems import PROBLEM_JSON, document_response, json_response


def health_routes(readiness: Readiness, version: str) -> Blueprint:
    """The routes that are open to everybody."""
    routes = Blueprint("health", __name__)

    @routes.get("/")
    @documented(
        "Which service this is",
        scope=None,
        answers={
            200: Answer(Root, "It answers.", {"status": "ok", "service": "etl-actors", "version": version}),
            303: Answer(
                None, "A browser, which accepts HTML, is sent to the dashboard.", headers={"Location": "Where."}
            ),
        },
    )
    async def root() -> Response | WerkzeugResponse:
        if "text/html" in request.headers.get("Accept", ""):
            return redirect("/dashboard", code=303)
        return json_response({"status": "ok", "service": "etl-actors", "version": version})

    @routes.get("/healthz")
    @documented("Is it alive?", scope=None, answers={200: Answer(Alive, "It is.", {"status": "ok"})})
    async def healthz() -> Response:
        return json_response({"status": "ok"})

    @routes.get("/readyz")
    @documented(
        "Is it ready?",
        scope=None,
        answers={
            200: Answer(Ready, "It is.", {"status": "ready"}),
            503: Answer(
                NotReady,
                "It is not, and why.",
                examples.NOT_READY,
                kind=PROBLEM_JSON,
                headers={"Retry-After": "Seconds to wait."},
            ),
        },
    )
    async def readyz() -> Response:
        reasons, stale = readiness.not_ready(), readiness.stale()
        # A provider that brings nothing is told, but it is no reason to send callers elsewhere.
        detail = {"stale": stale} if stale else {}
        if reasons:
            document = NotReady(
                type="about:blank", title="Not ready", status=503, detail="; ".join(reasons), reasons=reasons
            )
            return document_response(document)
        return json_response({"status": "ready"} | detail)

    return routes


def status_routes(statuses: Statuses) -> Blueprint:
    """The route that is not."""
    routes = Blueprint("status", __name__)

    @routes.get("/api/status")
    @documented(
        "How everything is",
        answers={200: Answer(Status, "Actors, channels, connectors, database, feed.", examples.STATUS)},
    )
    async def status() -> Response:
        return json_response(statuses.overview())

    return routes
