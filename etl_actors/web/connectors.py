"""The connectors, how each of them is, and how they are changed: ``/api/connectors``.

``ETag`` names the version of a connector's settings. A change that sends it back in ``If-Match`` takes place only while
it is the newest: of two clients that change one connector at once, the second is told, with 412.
"""

from __future__ import annotations

from quart import Blueprint, Response, request

from ..errors import ConnectorGone
from ..settings import ConnectorSettings
from . import examples
from .answers import Connector, ConnectorsAnswer, ConnectorStatus
from .bodies import read_json_object
from .openapi.documented import Answer, Body, documented
from .ports import Control, Roster, Statuses
from .preconditions import etag_header, is_known, wanted_etags
from .problems import Problem, json_response, no_content, not_found

MAX_CONNECTOR_BYTES = 131_072
ETAG = {"ETag": "The version of its settings, for `If-Match`."}
LOCATION = {"Location": "Where it is."}
IF_MATCH = {"If-Match": "The ETag that the change was made from; 412 when it is not the newest any more."}
CONNECTOR_BODY = Body(
    {"application/json": ConnectorSettings},
    "As in a config file. `***` in the place of a secret keeps the stored one.",
    examples={"ten lines": examples.CONNECTOR_SENT},
)
AS_IT_IS = Answer(ConnectorStatus, "How it is at this moment.", examples.CONNECTOR_STATUS)


def connector_routes(statuses: Statuses, roster: Roster) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("connectors", __name__, url_prefix="/api/connectors")

    @routes.get("")
    @routes.get("/")
    @documented("List the connectors", answers={200: Answer(ConnectorsAnswer, "All of them.", examples.CONNECTORS)})
    async def every() -> Response:
        connectors = statuses.connectors()
        return json_response({"connectors": connectors, "total": len(connectors)})

    @routes.post("")
    @routes.post("/")
    @documented(
        "Make a connector",
        scope="write",
        body=CONNECTOR_BODY,
        answers={201: Answer(Connector, "It is kept and runs.", examples.MADE, headers=ETAG | LOCATION)},
        problems=(409, 422, 503),
    )
    async def create() -> Response:
        entry = await roster.create(await read_json_object(MAX_CONNECTOR_BYTES))
        connector_id = entry.settings.connector_id
        response = shown(connector_id, 201)
        response.headers["Location"] = f"/api/connectors/{connector_id}"
        return response

    @routes.get("/<connector_id>")
    @documented(
        "Show a connector",
        headers={"If-None-Match": "An ETag that is known already: 304 while the settings are those."},
        answers={
            200: Answer(Connector, "Its settings, secrets masked, and its state.", examples.CONNECTOR, headers=ETAG),
            304: Answer(None, "Its settings are known already.", headers=ETAG),
        },
    )
    async def one(connector_id: str) -> Response:
        """Its state is no part of the version; `/status` tells it at any time."""
        response = shown(connector_id)
        if is_known(request.headers, current(connector_id)):
            return Response(b"", status=304, headers={"ETag": response.headers["ETag"]})
        return response

    @routes.put("/<connector_id>")
    @documented(
        "Replace a connector",
        scope="write",
        headers=IF_MATCH,
        body=CONNECTOR_BODY,
        answers={200: Answer(Connector, "It is kept and runs as it is now.", examples.MADE, headers=ETAG)},
        problems=(409, 412, 422, 503),
    )
    async def replace(connector_id: str) -> Response:
        document = await read_json_object(MAX_CONNECTOR_BYTES)
        try:
            await roster.replace(connector_id, document, etags=wanted_etags(request.headers))
        except ConnectorGone as gone:
            raise not_found(f"{gone}; POST /api/connectors makes one") from None
        return shown(connector_id)

    @routes.delete("/<connector_id>")
    @documented(
        "Delete a connector",
        scope="write",
        headers=IF_MATCH,
        answers={204: Answer(None, "What it had read is stored, and it is gone.")},
        problems=(409, 412, 503),
    )
    async def delete(connector_id: str) -> Response:
        await roster.delete(connector_id, etags=wanted_etags(request.headers))
        return no_content()

    @routes.get("/<connector_id>/status")
    @documented("How a connector is", answers={200: AS_IT_IS})
    async def status(connector_id: str) -> Response:
        found = statuses.connector_status(connector_id)
        if found is None:
            raise unknown(connector_id)
        return json_response(found)

    @routes.post("/<connector_id>/trigger")
    @documented("Poll now", scope="write", answers={200: AS_IT_IS}, problems=(409,))
    async def trigger(connector_id: str) -> Response:
        running(connector_id).trigger_nowait()
        roster.take_back_nowait(connector_id)
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
        roster.take_back_nowait(connector_id)
        return await status(connector_id)

    def current(connector_id: str) -> str:
        entry = roster.entries.get(connector_id)
        if entry is None:
            raise unknown(connector_id)
        return entry.etag

    def shown(connector_id: str, status: int = 200) -> Response:
        found = statuses.connector(connector_id)
        if found is None:
            raise unknown(connector_id)
        response = json_response(found, status)
        response.headers["ETag"] = etag_header(current(connector_id))
        return response

    def running(connector_id: str) -> Control:
        entry = roster.entries.get(connector_id)
        if entry is None:
            raise unknown(connector_id)
        if entry.actor is None:
            reason = "it is switched off (enabled = false), or cannot run; its status says more"
            raise Problem(409, "Not running", f"connector {connector_id!r} does not run: {reason}")
        return entry.actor

    return routes


def unknown(connector_id: str) -> Problem:
    """404."""
    return not_found(f"there is no connector {connector_id!r}")
