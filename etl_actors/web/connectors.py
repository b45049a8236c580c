"""The connectors and how each of them is: ``/api/connectors``."""

from __future__ import annotations

from collections.abc import Callable

from quart import Blueprint, Response

from .ports import Controls, Statuses
from .problems import Problem, json_response, not_found


def connector_routes(statuses: Statuses, controls: Controls) -> Blueprint:
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

    @routes.post("/<connector_id>/trigger")
    async def trigger(connector_id: str) -> Response:
        return act(connector_id, controls.trigger)

    @routes.post("/<connector_id>/pause")
    async def pause(connector_id: str) -> Response:
        return act(connector_id, controls.pause)

    @routes.post("/<connector_id>/resume")
    async def resume(connector_id: str) -> Response:
        return act(connector_id, controls.resume)

    def act(connector_id: str, action: Callable[[str], bool]) -> Response:
        if statuses.connector(connector_id) is None:
            raise not_found(f"there is no connector {connector_id!r}")
        if not action(connector_id):
            raise Problem(409, "Not running", f"connector {connector_id!r} does not run, so there is nothing to do")
        return json_response(statuses.connector_status(connector_id))

    return routes
