"""``/openapi.json``, and the pages that show it: Swagger UI at ``/docs``, ReDoc at ``/redoc``.

Both come whole from an installed package and ask nobody but this service. That package is never imported (it would
build its own pages, tens of megabytes of text): only its files are served.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

import msgspec
from quart import Blueprint, Response, current_app, request

from ..assets import asset_response
from ..problems import Problem, not_found
from .document import document
from .documented import hidden

PAGES = Path(__file__).parent / "pages"
OWN = frozenset({"docs.js", "start_redoc.js", "redoc.css"})
PACKAGED = frozenset({"swagger_bundle.js", "swagger_style.css", "redoc.js"})
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # both pages style what they draw with elements they make
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def documentation_routes(version: str, *, keys_required: bool = False) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("documentation", __name__)
    packaged = Path(str(distribution("offapi").locate_file("offapi")))
    encoded: list[bytes] = []

    @routes.get("/openapi.json")
    @hidden
    async def openapi() -> Response:
        if not encoded:
            # At the first question: only now every route is there.
            described = document(current_app, version=version, keys_required=keys_required)
            encoded.append(msgspec.json.encode(described))
        response = Response(encoded[0], content_type="application/json")
        response.headers["Cache-Control"] = "no-cache"
        await response.add_etag()
        await response.make_conditional(request)
        if response.status_code == 412:
            raise Problem(412, "Precondition failed", "the document is another one than If-Match names")
        return response

    @routes.get("/docs")
    @hidden
    async def docs() -> Response:
        return await _page("docs.html")

    @routes.get("/redoc")
    @hidden
    async def redoc() -> Response:
        return await _page("redoc.html")

    @routes.get("/docs/assets/<name>")
    @hidden
    async def asset(name: str) -> Response:
        if name not in OWN | PACKAGED:
            raise not_found(f"there is no file {name!r}")
        return await asset_response(PAGES if name in OWN else packaged, name)

    return routes


async def _page(name: str) -> Response:
    response = await asset_response(PAGES, name)
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response
