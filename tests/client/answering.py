"""A small HTTP server in a thread that stands in for a service's connectors: what it was asked, it keeps."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Answering(ThreadingHTTPServer):
    """Connectors by id, as ``/api/connectors`` keeps them; ``asked`` is ``(method, path, headers, body)`` of each."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.connectors: dict[str, Any] = {}
        self.from_file: set[str] = set()
        self.versions: dict[str, int] = {}
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.always: tuple[int, str, bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def etag(self, connector_id: str) -> str:
        """Of its version."""
        return f'"{self.versions.get(connector_id, 1)}"'

    def answer(self, method: str, path: str, body: Any, if_match: str | None) -> tuple[int, Any]:
        """Status and JSON."""
        connector_id = path.removeprefix("/api/connectors").strip("/")
        if method == "POST":
            connector_id = body["connector_id"]
            if connector_id in self.connectors:
                return 409, {"title": "Conflict", "status": 409, "detail": "there is one already"}
            self.connectors[connector_id] = body
            return 201, shown(body)
        connector_id = connector_id.removesuffix("/status")
        if connector_id not in self.connectors:
            return 404, {"title": "Not found", "status": 404, "detail": f"there is no connector {connector_id!r}"}
        if method == "GET":
            return 200, {"state": "running"} if path.endswith("/status") else shown(self.connectors[connector_id])
        if connector_id in self.from_file:
            return 409, {"title": "Conflict", "status": 409, "detail": "it is written in a.toml; change it there"}
        if if_match not in {None, self.etag(connector_id)}:
            return 412, {"title": "Changed meanwhile", "status": 412, "detail": "it is another version by now"}
        if method == "PUT":
            self.versions[connector_id] = self.versions.get(connector_id, 1) + 1
            self.connectors[connector_id] = body
            return 200, shown(body)
        del self.connectors[connector_id]
        return 204, None


def shown(connector: Any) -> Any:
    """As a service shows it: secrets masked, and what only it knows added."""
    auth = {key: value if key in {"type", "header"} else "***" for key, value in connector.get("auth", {}).items()}
    return {**connector, **({"auth": auth} if auth else {}), "state": "running", "created_at": "2025-12-08T16:00:00Z"}


class _Handler(BaseHTTPRequestHandler):
    server: Answering
    protocol_version = "HTTP/1.1"

    def _any(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw else None
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        if self.server.always is not None:
            status, kind, content = self.server.always
        else:
            status, answer = self.server.answer(self.command, self.path, body, self.headers.get("If-Match"))
            kind = "application/json" if status < 400 else "application/problem+json"
            content = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if status < 300 and isinstance(body if body else json.loads(content or b"0"), dict):
            self.send_header("ETag", self.server.etag("my_api"))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name for it
        """Nothing: tests are quiet."""


@contextmanager
def answering() -> Iterator[Answering]:
    """A running server."""
    with Answering() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
