"""The Quart application: every route of the service over the doors it is given."""

from __future__ import annotations

from pathlib import Path

from quart import Response
from quart_trio import QuartTrio

from .access import AccessPolicy, install_gate
from .access.gate import Gate
from .access.lasting import Lasting
from .access.sockets import hold_sockets_to_keys
from .assets import asset_response
from .connectors import connector_routes
from .data import data_routes
from .extract import extract_routes
from .files import file_routes
from .flow import install_flow_control
from .health import health_routes, status_routes
from .keys import key_routes
from .live import live_routes
from .metrics import metrics_routes
from .openapi.documented import hidden
from .openapi.pages import documentation_routes
from .origins import install_origin_checks
from .ports import (
    Extractor,
    FileDesk,
    FileReader,
    Metrics,
    Postbox,
    Publisher,
    Reader,
    RejectedDesk,
    Roster,
    Statuses,
)
from .problems import install_problem_handlers
from .rejected import rejected_routes
from .secure_headers import install_secure_headers
from .session import session_routes
from .stream import stream_routes
from .uploads import upload_routes

DASHBOARD = Path(__file__).parent / "dashboard"


def create_app(
    *,
    reader: Reader,
    statuses: Statuses,
    metrics: Metrics,
    roster: Roster,
    extractor: Extractor,
    publisher: Publisher,
    postbox: Postbox,
    files: FileDesk,
    file_reader: FileReader,
    rejected: RejectedDesk,
    version: str,
    position_seconds: float,
    max_body_bytes: int,
    access: AccessPolicy,
) -> QuartTrio:
    """The application, ready to be served."""
    app, gate = bare_app(max_body_bytes, access)
    lasting = Lasting(access.doorkeeper, gate.sessions)
    app.register_blueprint(health_routes(statuses, version))
    app.register_blueprint(metrics_routes(metrics))
    app.register_blueprint(status_routes(statuses))
    app.register_blueprint(connector_routes(statuses, roster))
    app.register_blueprint(extract_routes(extractor))
    app.register_blueprint(upload_routes(files))
    app.register_blueprint(file_routes(file_reader, files))
    app.register_blueprint(data_routes(reader, statuses))
    app.register_blueprint(rejected_routes(rejected))
    app.register_blueprint(session_routes(gate))
    app.register_blueprint(key_routes(access.keys, access.doorkeeper))
    app.register_blueprint(live_routes(publisher, postbox, position_seconds=position_seconds))
    app.register_blueprint(stream_routes(publisher, lasting, position_seconds=position_seconds))
    app.register_blueprint(documentation_routes(version, keys_required=access.keys_required))

    @app.get("/dashboard")
    @app.get("/dashboard/<path:name>")
    @hidden
    async def dashboard(name: str = "index.html") -> Response:
        return await asset_response(DASHBOARD, name)

    hold_sockets_to_keys(app, lasting)
    return app


def bare_app(max_body_bytes: int, access: AccessPolicy) -> tuple[QuartTrio, Gate]:
    """An application without routes, and the gate before it: what holds for every answer, whatever it is about."""
    app = QuartTrio("etl_actors", static_folder=None)
    app.url_map.strict_slashes = False
    # Otherwise an id with slashes would be answered with a redirection to a path without them.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    # An answer lasts as long as its client reads; what is stuck is ended by the kernel (see listener.py).
    app.config["RESPONSE_TIMEOUT"] = None
    install_flow_control(app)
    install_problem_handlers(app)
    # First the origin of a page, since a preflight brings no key; then who asks.
    install_origin_checks(app, access.cors_origins)
    gate = install_gate(app, access)
    install_secure_headers(app)
    return app, gate
