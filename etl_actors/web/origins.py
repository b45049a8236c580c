"""Which web pages may call the service: those it serves itself, and those of ``[server] cors_origins``.

A browser tells in ``Origin`` which page is asking; programs send none and are not asked. A page of a stranger may
neither open ``/ws`` nor change anything, and is not shown what it reads. ``*`` welcomes every page that brings a key,
and none that rides on a cookie; where no keys are asked for it is left out, and only pages that are named are welcome.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from quart import Response, request, websocket
from quart_trio import QuartTrio

from .problems import Problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
EXPOSED = "ETag, Location, Retry-After, Link, Content-Disposition, WWW-Authenticate"
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
PREFLIGHT_SECONDS = "600"


def is_welcome(origin: str | None, host: str, cors_origins: Collection[str]) -> bool:
    """Whether a page of ``origin`` may call a service that was asked as ``host``."""
    if origin is None or "*" in cors_origins or origin in cors_origins:
        return True
    try:
        return urlsplit(origin).netloc == host != ""
    except ValueError:
        return False


def may_ride(origin: str | None, site: str | None, host: str, cors_origins: Collection[str]) -> bool:
    """Whether a request that shows nothing but our cookie was meant by one of our own pages, or a friend's.

    A browser adds the cookie whoever asks, and tells who asks, in ``Origin`` and ``Sec-Fetch-Site``. Programs tell
    nothing, and no page can make them ask.
    """
    if origin is not None:
        return is_welcome(origin, host, [one for one in cors_origins if one != "*"])
    return site in {None, "same-origin", "none"}


def install_origin_checks(app: QuartTrio, cors_origins: Collection[str]) -> None:
    """Refuse strangers' pages, and tell browsers which pages may read the answers."""

    @app.before_websocket
    async def _check_socket() -> None:
        _refuse_strangers(websocket.headers.get("Origin"), websocket.headers.get("Host", ""))

    @app.before_request
    async def _check_request() -> Response | None:
        origin = request.headers.get("Origin")
        if request.method == "OPTIONS" and origin and "Access-Control-Request-Method" in request.headers:
            return Response(b"", content_type="text/plain")
        if request.method not in SAFE_METHODS:
            _refuse_strangers(origin, request.host)
            if origin is None and request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
                raise Problem(403, "Origin not allowed", "a page that does not say where it is from may not do this")
        return None

    @app.after_request
    async def _tell(response: Response) -> Response:
        response.headers.add("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin and is_welcome(origin, request.host, cors_origins):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
            if may_ride(origin, None, request.host, cors_origins):
                response.headers["Access-Control-Allow-Credentials"] = "true"
            if request.method == "OPTIONS":
                asked = request.headers.get("Access-Control-Request-Headers")
                response.headers["Access-Control-Allow-Methods"] = METHODS
                response.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
                if asked:
                    response.headers["Access-Control-Allow-Headers"] = asked
        return response

    def _refuse_strangers(origin: str | None, host: str) -> None:
        if not is_welcome(origin, host, cors_origins):
            raise Problem(
                403, "Origin not allowed", f"pages of {origin} may not do this; [server] cors_origins lists who may"
            )
