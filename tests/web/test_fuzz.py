"""Whatever bytes arrive, what leaves is an answer or a problem document, and the service goes on."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from functools import cache
from http.client import HTTPResponse
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SECONDS = 30
UNDESCRIBED = ("/docs", "/redoc", "/openapi.json", "/docs/assets/{name}", "/dashboard", "/dashboard/{name}", "/ws", "*")
METHODS = ("GET", "GET", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "FOO")
NAMES = (
    "limit", "offset", "order", "since", "until", "after", "count", "symbol", "exchange", "connector_id", "x", "",
)  # fmt: skip
HEADERS = (
    "Accept", "Accept-Encoding", "Authorization", "Content-Encoding", "Content-Type", "Cookie", "Forwarded",
    "HTTP2-Settings", "Host", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "Last-Event-ID", "Origin",
    "Range", "Upgrade", "X-API-Key", "X-Forwarded-For", "X-Forwarded-Host",
    "Access-Control-Request-Method", "Access-Control-Request-Headers",
)  # fmt: skip
ODD_VALUES = (
    "", "0", "-1", "9" * 30, "null", "*", "*/*;q=zz", "text/csv", "application/x-ndjson", "bytes=9-2", "bytes=-1",
    "http://[", "[::", "h2c", "x" * 3000, "../../etc/passwd", "' OR 1=1 --", "2025-12-08T16:00:00Z", "timestamp DESC",
    "multipart/form-data; boundary=", "application/json; charset=nonsense", "Bearer", "Basic :::", '"', "W/",
    "gzip", "1765209600123456-42",
)  # fmt: skip
BODIES = (b"", b"{}", b"[", b"\xff\xfe", b"null", b"[" * 5000, b'{"a":1e999}', b'"\\ud800"', b"--\r\n", b"a,b\n1")

encoded = st.one_of(
    st.sampled_from(ODD_VALUES).map(lambda text: quote(text, safe="")),
    st.text(max_size=20).map(lambda text: quote(text.encode("utf-8", "surrogatepass"), safe="")),
    st.binary(max_size=12).map(lambda raw: quote(raw, safe="")),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20),
)
values = st.one_of(
    st.sampled_from(ODD_VALUES), st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=40)
).map(lambda text: text.replace("\x7f", "").strip().encode("latin-1", "replace"))


@cache
def templates(address: str) -> tuple[str, ...]:
    """The paths of every route whose answers end."""
    paths = httpx.get(f"{address}/openapi.json").json()["paths"]
    return (*(path for path in paths if path != "/api/stream"), *UNDESCRIBED)


@st.composite
def requests(draw: st.DrawFn, paths: tuple[str, ...]) -> tuple[str, bytes]:
    """A method, and the bytes of a request that is HTTP but for the rest as odd as it gets."""
    method = draw(st.sampled_from(METHODS))
    target = draw(st.sampled_from(paths))
    while "{" in target:
        head, _, rest = target.partition("{")
        inside = draw(st.sampled_from(("binance_24hr", "BTC", "index.html")) | encoded)
        target = head + inside.replace("{", "%7B") + rest.partition("}")[2]
    if draw(st.booleans()):
        pairs = draw(st.lists(st.tuples(st.sampled_from(NAMES), encoded), max_size=4))
        target += "?" + "&".join(f"{name}={value}" for name, value in pairs)
    elif draw(st.booleans()):
        target += draw(encoded)
    headers = dict(draw(st.lists(st.tuples(st.sampled_from(HEADERS), values), max_size=4)))
    body = draw(st.sampled_from(BODIES) | st.binary(max_size=50)) if method in {"POST", "PUT", "PATCH"} else b""
    head = [f"{method} {target} HTTP/1.1".encode("ascii"), b"Connection: close"]
    head += [] if "Host" in headers else [b"Host: localhost"]
    head += [name.encode() + b": " + value for name, value in headers.items()]
    head += [b"Content-Length: %d" % len(body)] if body else []
    return method, b"\r\n".join(head) + b"\r\n\r\n" + body


@settings(max_examples=2000, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_no_request_is_answered_with_a_failure_of_ours(tormented: str, data: st.DataObject) -> None:
    """Odd methods, paths, queries, headers and bodies: never a 500, and every error is a problem document."""
    method, request = data.draw(requests(templates(tormented)))
    status, kind, body = ask(tormented, request, method)
    assert status < 500 or status == 503
    assert b"Traceback" not in body
    if status >= 400:
        assert kind == "application/problem+json"
        assert method == "HEAD" or json.loads(body)["status"] == status


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        b"POST /ws/test HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /ws/test HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /ws/test HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_refused_as_a_problem_too(tormented: str, request_bytes: bytes) -> None:
    """400, or 431 for a head that is too long; and the next client is served."""
    status, kind, body = ask(tormented, request_bytes, "GET")
    assert status in {400, 431, 501}
    assert kind == "application/problem+json"
    assert json.loads(body)["status"] == status
    assert httpx.get(f"{tormented}/healthz").status_code == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n\r\n",
        *(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: " + settings_header + b"\r\n\r\n"
            for settings_header in (b"x", b"", b"AAMAAABkAAQCAAAAAAIAAAAA", b"\xff")
        ),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64,
        b"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
    ],
)
def test_http_2_is_not_spoken(tormented: str, request_bytes: bytes) -> None:
    """Whatever its settings hold, it is answered over HTTP/1.1, and the service lives on."""
    status, _, _ = ask(tormented, request_bytes, "GET")
    assert status in {200, 404}
    assert httpx.get(f"{tormented}/healthz").status_code == 200


def test_a_connection_is_closed_when_that_was_asked_for(tormented: str) -> None:
    """At once: well before an idle one would be closed, the other side reads the end."""
    address = urlsplit(tormented)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=3) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received = b""
        while piece := connection.recv(65_536):
            received += piece
    assert received.endswith(b'{"status":"ok"}')


def ask(address: str, request: bytes, method: str) -> tuple[int, str, bytes]:
    """Status, content type and body of what comes back on a connection of its own."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=SECONDS) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # answered and closed before it was read whole
            connection.sendall(request)
        response = HTTPResponse(connection, method=method)
        response.begin()
        with response:
            return response.status, response.headers.get("Content-Type", ""), response.read()
