"""Is it alive, is it ready, and how is everything: ``/``, ``/healthz``, ``/readyz``, ``/api/status``."""

from __future__ import annotations

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from .ports import Statuses
from .problems import json_response


def health_routes(statuses: Statuses, version: str) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("health", __name__)

    @routes.get("/")
    async def root() -> Response | WerkzeugResponse:
        if "text/html" in request.headers.get("Accept", ""):
            return redirect("/dashboard", code=303)
        return json_response({"status": "ok", "service": "etl-actors", "version": version})

    @routes.get("/healthz")
    async def healthz() -> Response:
        return json_response({"status": "ok"})

    @routes.get("/readyz")
    async def readyz() -> Response:
        reasons = statuses.not_ready()
        if reasons:
            return json_response({"status": "not ready", "reasons": reasons}, 503)
        return json_response({"status": "ready"})

    @routes.get("/api/status")
    async def status() -> Response:
        return json_response(statuses.overview())

    return routes
