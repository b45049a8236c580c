"""A provider that repeats everything it was ever sent, in whatever shape a test asks for."""

from __future__ import annotations

import base64
import gzip
import html
import json
import zlib
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote

from ..web.origin_server import Asked
from .canaries import WORD, Watch

Shape = Callable[[str, str], bytes]


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """The bytes of a whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


def items(said: str, raw: str) -> bytes:
    """A list that a mapping likes."""
    return answer(json.dumps([{"s": "BTC", "p": "1", "said": said, "raw": raw}]).encode(), "Content-Type: text/json")


def one_word(said: str) -> str:
    """What fits into a header."""
    return " ".join(said.split())


def refusing(status: str, *headers: str) -> Shape:
    """Words of a provider that says no."""
    return lambda said, raw: answer(json.dumps({"code": -1, "msg": raw, "x": said}).encode(), *headers, status=status)


SHAPES: dict[str, Shape] = {
    "items": items,
    "plain json": lambda said, raw: answer(json.dumps({"said": said, "raw": raw}, ensure_ascii=False).encode()),
    "json for pages": lambda said, raw: answer(
        json.dumps([said, raw]).replace("<", "\\u003c").replace("&", "\\u0026").replace("/", "\\/").encode()
    ),
    "json in json": lambda said, raw: answer(json.dumps([json.dumps([said, raw])]).encode()),
    "an error in 200": lambda said, raw: answer(json.dumps({"error": raw, "message": said}).encode()),
    "a key of an object": lambda said, raw: answer(json.dumps({raw: 1, said: 2}).encode()),
    "html": lambda said, raw: answer(
        f"<html><title>{html.escape(raw)}</title>{html.escape(said)}".encode(), "Content-Type: text/html"
    ),
    "text": lambda said, raw: answer(f"{raw} {said}".encode(), "Content-Type: text/plain"),
    "wide text": lambda said, raw: answer(json.dumps([raw, said]).encode("utf-16")),
    "wide html": lambda said, raw: answer(f"<html>{html.escape(raw + said)}".encode("utf-16-be")),
    "half of a json": lambda said, raw: answer(json.dumps([raw, said]).encode()[:-2]),
    "malformed json": lambda said, raw: answer(json.dumps({"a": raw}).encode()[:-1] + b",, " + raw.encode()),
    "not utf-8": lambda said, raw: answer(b'["\xff' + json.dumps(raw).encode()[1:] + b"]"),
    "gzip": lambda said, raw: answer(gzip.compress(json.dumps([said, raw]).encode()), "Content-Encoding: gzip"),
    "damaged gzip": lambda said, raw: answer(
        gzip.compress(json.dumps([said, raw]).encode())[:-9] + raw.encode(), "Content-Encoding: gzip"
    ),
    "gzip bomb": lambda said, raw: answer(zlib.compress(raw.encode() + bytes(3_000_000)), "Content-Encoding: deflate"),
    "an encoding": lambda said, raw: answer(b"[]", f"Content-Encoding: {one_word(raw)}"),
    "headers": lambda said, raw: answer(
        b"[]",
        *(f"{name}: {one_word(raw)}" for name in ("ETag", "Last-Modified", "Retry-After", "Date", "Server")),
        *(f"{name}: {one_word(raw)}" for name in ("RateLimit-Remaining", "X-MBX-USED-WEIGHT-1M", "Set-Cookie")),
    ),
    "a link": lambda said, raw: answer(b"[]", f"Link: </next/{one_word(raw)}?x={one_word(raw)}>; rel=next"),
    "redirect": lambda said, raw: answer(
        b"", f"Location: http://other.example/{one_word(raw).replace(' ', '/')}", status="302 Found"
    ),
    "relative redirect": lambda said, raw: answer(
        b"", f"Location: {one_word(raw).replace(' ', '/')}", status="307 Temporary Redirect"
    ),
    "300": refusing("300 Multiple Choices"),
    "400": refusing("400 Bad Request"),
    "401": refusing("401 Unauthorized", "WWW-Authenticate: Bearer"),
    "403": refusing("403 Forbidden"),
    "418": refusing("418 Teapot"),
    "429": refusing("429 Too Many Requests", "Retry-After: 0"),
    "451": refusing("451 Unavailable"),
    "500": refusing("500 Internal Server Error"),
    "500 in html": lambda said, raw: answer(
        f"<title>{html.escape(raw)}</title>".encode(), status="500 Internal Server Error"
    ),
    "503 in text": lambda said, raw: answer(raw.encode(), status="503 Service Unavailable"),
    "a reason": lambda said, raw: answer(b"{}", status=f"500 {one_word(raw)}"),
    "no http": lambda said, raw: raw.encode() + b"\r\n\r\n",
    "a header that is none": lambda said, raw: f"HTTP/1.1 200 OK\r\n{one_word(raw)}\r\n\r\n[]".encode(),
    "a length that is none": lambda said, raw: f"HTTP/1.1 200 OK\r\nContent-Length: {one_word(raw)}\r\n\r\n".encode(),
    "a chunk that is none": lambda said, raw: (
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{one_word(raw)}\r\n".encode()
    ),
    "broken off": lambda said, raw: b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + raw.encode(),
    "reset": lambda said, raw: b"",
}  # fmt: skip


def _telling(headers: dict[str, str]) -> list[str]:
    """Those that hold a secret: as a sentence that is short enough to be shown whole."""
    return [value for name, value in headers.items() if WORD in value or name == "Authorization"]


class Repeating:
    """``shape`` names what it answers, ``token_shape`` what its token endpoint does when it gives none.

    What was made of secrets is written down in the watch.
    """

    def __init__(self, watch: Watch) -> None:
        self.shape = "items"
        self.token_shape = ""
        self.asked: dict[str, int] = {}
        self._watch = watch
        self._said: dict[str, list[str]] = {}
        self._tokens = 0

    def __call__(self, asked: Asked) -> tuple[int, bytes] | bytes:
        self._note(asked)
        place = asked.target.partition("?")[0]
        wire = "\n".join([asked.target, *(f"{name}: {value}" for name, value in asked.headers.items())])
        history = self._said.setdefault(place.removesuffix("/token"), [])
        history.append(f"{wire}\n{unquote(asked.target)}\n{asked.body.decode()}")
        del history[:-6]
        said, raw = "\n".join(history), " ".join([*_telling(asked.headers), asked.target, asked.body.decode()])
        if place.endswith("/token"):
            if self.token_shape:
                return SHAPES[self.token_shape](said, raw)
            self._tokens += 1
            token = f"{WORD}-token-{self._tokens}"
            return 200, json.dumps({"access_token": token, "token_type": "bearer", "expires_in": 2}).encode()
        self.asked[place] = self.asked.get(place, 0) + 1
        return SHAPES[self.shape](said, raw)

    def _note(self, asked: Asked) -> None:
        """Signatures, and what stands in a Basic header."""
        signatures = [value for name, value in parse_qsl(asked.target.partition("?")[2]) if name == "signature"]
        scheme, _, credentials = asked.headers.get("Authorization", "").partition(" ")
        self._watch.derived.update(signatures)
        if scheme == "Basic":
            assert base64.b64decode(credentials)
            self._watch.derived.add(credentials)
