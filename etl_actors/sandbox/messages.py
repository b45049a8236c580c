"""What goes in and out of a provider: one request as it arrived, one answer as it will be sent.

The server turns bytes into a ``Request`` and an ``Answer`` into bytes; providers see nothing of sockets.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import trio

_SLICE = 65_536  # bytes compressed before others get their turn: about half a millisecond
JSON = "application/json"
JSON_UTF8 = "application/json; charset=utf-8"
HTML = "text/html; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Request:
    """``headers`` have lower-case names; ``params`` keep their order and may repeat."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    path: str = ""
    query: str = ""
    params: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, method: str, target: str, headers: dict[str, str], body: bytes) -> Request:
        """Splits the target into path, query and decoded parameters."""
        parts = urlsplit(target)
        params = tuple(parse_qsl(parts.query, keep_blank_values=True))
        return cls(method, target, headers, body, parts.path, parts.query, params)

    def param(self, name: str) -> str | None:
        """The first value of a parameter."""
        return next((value for key, value in self.params if key == name), None)


class Body:
    """Bytes of an answer, compressed at most once however many clients take them."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._compressed: bytes | None = None
        self._compressing = trio.Lock()

    async def compressed(self) -> bytes:
        """The bytes as gzip, level 1, made in slices so that a megabyte never holds the loop."""
        async with self._compressing:
            if self._compressed is None:
                squeeze = zlib.compressobj(1, wbits=31)
                parts = []
                for start in range(0, len(self.raw), _SLICE):
                    parts.append(squeeze.compress(self.raw[start : start + _SLICE]))
                    await trio.lowlevel.checkpoint()
                self._compressed = b"".join((*parts, squeeze.flush()))
            return self._compressed


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer before it is framed."""

    body: Body
    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = field(default=())

    @classmethod
    def of(
        cls,
        body: bytes | str,
        status: int = 200,
        content_type: str = JSON,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Answer:
        """An answer from text or bytes."""
        return cls(Body(body.encode() if isinstance(body, str) else body), status, content_type, headers)
