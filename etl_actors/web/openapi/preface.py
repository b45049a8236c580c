"""What the document says of the whole: introduction, groups of operations, and the ways to send a key."""

from __future__ import annotations

from typing import Any

ABOUT = """\
Polls REST APIs, maps their answers to items, loads them into PostgreSQL and serves them here and live.

* Errors are problem documents (RFC 9457, `application/problem+json`); bad input names each place in `errors`.
* Times are ISO 8601 in UTC. Numbers keep every digit they came with; read them as decimals, not as floats.
* Lists come in pages: follow `next` until it is null. It names a place, so rows that are added meanwhile move nothing.
* Live events come over the WebSocket `/ws`, which OpenAPI cannot describe: connect, and every event is sent; it takes
  the parameters of `GET /api/stream`, and `batch` and `interval_ms`. `docs/WEBSOCKET_REALTIME.md` tells the rest.
* A service that listens beyond loopback asks for a key with the scope (`read`, `write`, `admin`) of each operation.
"""

TAGS = {
    "health": "Is it alive, is it ready.",
    "status": "How everything is.",
    "metrics": "What a monitoring system reads.",
    "connectors": "The sources of data: what they are, how they are, and their control.",
    "extract": "One url, fetched once.",
    "data": "What was received and what it became: responses and items.",
    "live": "The live feed.",
    "stream": "The live feed, for clients that only listen.",
    "files": "Files that were uploaded or made here, and their rows.",
    "uploads": "Files that are kept, and tables that are cleaned and typed on the way through.",
    "rejected": "Payloads that could not be mapped.",
    "session": "The session of a page that logged in with a key.",
    "keys": "Who may ask: keys are made and revoked.",
}

SECURITY_SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer KEY`"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "`X-API-Key: KEY`"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "etl_session",
        "description": "The cookie of `POST /api/session`; a mark of the installation follows this name.",
    },
}
