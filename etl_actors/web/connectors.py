"""The connectors and how each of them is: ``/api/connectors``."""

from __future__ import annotations

from quart import Blueprint, Response

from . import examples
from .answers import Connector, ConnectorsAnswer, ConnectorStatus
from .openapi.documented import Answer, documented
from .ports import Control, ControlOf, Statuses
from .problems import Problem, json_response, not_found

AS_IT_IS = Answer(ConnectorStatus, "How it is at this moment.", examples.CONNECTOR_STATUS)


def connector_routes(statuses: Statuses, control_of: ControlOf) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("connectors", __name__, url_prefix="/api/connectors")

    @routes.get("")
    @routes.get("/")
    @documented("List the connectors", answers={200: Answer(ConnectorsAnswer, "All of them.", examples.CONNECTORS)})
    async def every() -> Response:
        connectors = statuses.connectors()
        return json_response({"connectors": connectors, "total": len(connectors)})

    @routes.get("/<connector_id>")
    @documented(
        "Show a connector",
        answers={200: Answer(Connector, "Its settings, secrets masked, and its state.", examples.CONNECTOR)},
    )
    async def one(connector_id: str) -> Response:
        found = statuses.connector(connector_id)
        if found is None:
            raise not_found(f"there is no connector {connector_id!r}")
        return json_response(found)

    @routes.get("/<connector_id>/status")
    @documented("How a connector is", answers={200: AS_IT_IS})
    async def status(connector_id: str) -> Response:
        found = statuses.connector_status(connector_id)
        if found is None:
            raise not_found(f"there is no connector {connector_id!r}")
        return json_response(found)

    @routes.post("/<connector_id>/trigger")
    @documented("Poll now", scope="write", answers={200: AS_IT_IS}, problems=(409,))
    async def trigger(connector_id: str) -> Response:
        running(connector_id).trigger_nowait()
        return await status(connector_id)

    @routes.post("/<connector_id>/pause")
    @documented("Pause a connector", scope="write", answers={200: AS_IT_IS}, problems=(409,))
    async def pause(connector_id: str) -> Response:
        running(connector_id).pause_nowait()
        return await status(connector_id)

    @routes.post("/<connector_id>/resume")
    @documented("Resume a connector", scope="write", answers={200: AS_IT_IS}, problems=(409,))
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
