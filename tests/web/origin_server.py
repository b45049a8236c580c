"""A provider in a thread: plain HTTP on loopback, told what to answer by each test, remembering what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Asked:
    """One request as it arrived; ``target`` is path and query."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Provider:
    """``answer(asked)`` gives status and body, or all the bytes of an answer, after which the connection ends."""

    answer: Callable[[Asked], tuple[int, bytes] | bytes]
    url: str = ""
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def serving(answer: Callable[[Asked], tuple[int, bytes] | bytes]) -> Iterator[Provider]:
    """A provider for the length of the block."""
    provider = Provider(answer)

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
            provider.asked.append(asked)
            given = provider.answer(asked)
            if isinstance(given, bytes):
                self.close_connection = True
                self.wfile.write(given)
                return
            status, body = given
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if 300 <= status < 400:
                self.send_header("Location", body.decode())
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = reply  # noqa: N815 - the names http.server calls

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
