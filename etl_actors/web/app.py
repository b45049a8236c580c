"""The Quart application: every route of the service over the doors it is given."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from quart import Response
from quart_trio import QuartTrio

from .assets import asset_response
from .connectors import connector_routes
from .data import data_routes
from .extract import extract_routes
from .files import file_routes
from .flow import install_flow_control
from .health import health_routes
from .live import live_routes
from .openapi.documented import hidden
from .openapi.pages import documentation_routes
from .origins import install_origin_checks
from .ports import Extractor, FileDesk, FileReader, Publisher, Reader, Roster, Statuses
from .problems import install_problem_handlers
from .uploads import upload_routes

DASHBOARD = Path(__file__).parent / "dashboard"


def create_app(
    *,
    reader: Reader,
    statuses: Statuses,
    roster: Roster,
    extractor: Extractor,
    publisher: Publisher,
    files: FileDesk,
    file_reader: FileReader,
    version: str,
    position_seconds: float,
    max_body_bytes: int,
    cors_origins: Collection[str],
) -> QuartTrio:
    """The application, ready to be served."""
    app = QuartTrio("etl_actors", static_folder=None)
    app.url_map.strict_slashes = False
    # Otherwise an id with slashes would be answered with a redirection to a path without them.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    # An answer lasts as long as its client reads; what is stuck is ended by the kernel (see listener.py).
    app.config["RESPONSE_TIMEOUT"] = None
    install_flow_control(app)
    install_problem_handlers(app)
    install_origin_checks(app, cors_origins)
    app.register_blueprint(health_routes(statuses, version))
    app.register_blueprint(connector_routes(statuses, roster))
    app.register_blueprint(extract_routes(extractor))
    app.register_blueprint(upload_routes(files))
    app.register_blueprint(file_routes(file_reader, files))
    app.register_blueprint(data_routes(reader, statuses))
    app.register_blueprint(live_routes(publisher, position_seconds=position_seconds))
    app.register_blueprint(documentation_routes(version))

    @app.get("/dashboard")
    @app.get("/dashboard/<path:name>")
    @hidden
    async def dashboard(name: str = "index.html") -> Response:
        return await asset_response(DASHBOARD, name)

    @app.after_request
    async def secure(response: Response) -> Response:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("X-Frame-Options", "DENY")
        return response

    return app
