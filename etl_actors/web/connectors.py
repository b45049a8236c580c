"""The connectors and how each of them is: ``/api/connectors``."""

from __future__ import annotations

from quart import Blueprint, Response

from .ports import Control, ControlOf, Statuses
from .problems import Problem, json_response, not_found


def connector_routes(statuses: Statuses, control_of: ControlOf) -> Blueprint:
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
        running(connector_id).trigger_nowait()
        return await status(connector_id)

    @routes.post("/<connector_id>/pause")
    async def pause(connector_id: str) -> Response:
        running(connector_id).pause_nowait()
        return await status(connector_id)

    @routes.post("/<connector_id>/resume")
    async def resume(connector_id: str) -> Response:
        running(connector_id).resume_nowait()
        return await status(connector_id)

    def running(connector_id: str) -> Control:
        if statuses.connector(connector_id) is None:
            raise not_found(f"there is no connector {connector_id!r}")
        control = control_of(connector_id)
        if control is None:
            raise Problem(409, "Not running", f"connector {connector_id!r} does not run, so there is nothing to do")
        return control

    return routes
