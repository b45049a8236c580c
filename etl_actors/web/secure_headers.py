"""Headers that tell browsers to be careful, on every answer; a view that needs another value sets it itself."""

from __future__ import annotations

from typing import Any

from quart import Response, request
from quart_trio import QuartTrio

HSTS_SECONDS = 31_536_000

# The dashboard brings everything it needs; an answer of the API needs nothing at all.
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
ANSWER_POLICY = "default-src 'none'; frame-ancestors 'none'"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Friends' pages are not hindered: what they fetch is decided by CORS.
    "Cross-Origin-Resource-Policy": "same-origin",
    # What a key holder may see is not for the caches on the way. The dashboard's files say otherwise for themselves.
    "Cache-Control": "no-store",
}


def install_secure_headers(app: QuartTrio) -> None:
    """On answers to requests; a socket that was accepted has none."""

    @app.after_request
    async def _secure(response: Response) -> Response:
        secure(response, https=request.scheme == "https")
        return response

    @app.after_websocket
    async def _secure_refusal(response: Any) -> Any:
        if response is not None:
            secure(response, https=False)
        return response


def secure(response: Response, *, https: bool) -> None:
    """Add what is missing."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    page = (response.content_type or "").startswith("text/html")
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY if page else ANSWER_POLICY)
    if https:
        response.headers.setdefault("Strict-Transport-Security", f"max-age={HSTS_SECONDS}")
