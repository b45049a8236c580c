"""The connectors and how each of them is: ``/api/connectors``."""

from __future__ import annotations

from quart import Blueprint, Response

from .ports import Statuses
from .problems import json_response, not_found


def connector_routes(statuses: Statuses) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("connectors", __name__, url_prefix="/api/connectors")

    @routes.get("")
    @routes.get("/")
    async def every() -> Response:
        connectors = statuses.connectors()
        return json_response({"connectors": connectors, "total": len(connectors)})

    @routes.get("/<connector_id>")
    async def one(connector_id: str) -> Response:
        found = statuses.connector(connector_id)
        if found is None:
            raise not_found(f"there is no connector {connector_id!r}")
        return json_response(found)

    @routes.get("/<connector_id>/status")
    async def status(connector_id: str) -> Response:
        found = statuses.connector_status(connector_id)
        if found is None:
            raise not_found(f"there is no connector {connector_id!r}")
        return json_response(found)

    return routes
