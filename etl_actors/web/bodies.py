"""Reads request bodies no further than they may be long."""

from __future__ import annotations

from typing import Any

import msgspec
from quart import request

from .problems import Problem, invalid

# No document that a caller may send needs more.
DEEPEST = 50


def refuse_encoded() -> None:
    """415 for a body that is compressed: nobody here knows how long it would become."""
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise Problem(415, "Unsupported media type", f"send the body as it is, without Content-Encoding {encoding}")


async def read_body(max_bytes: int) -> bytes:
    """The whole body; 413 as soon as it is known to be longer than ``max_bytes``, 415 where it is compressed."""
    refuse_encoded()
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    async for piece in request.body:
        body += piece
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> Problem:
    return Problem(413, "Too large", f"the body may be {max_bytes:,} bytes long at most")


async def read_json_object(max_bytes: int, *, required: bool = True) -> dict[str, Any]:
    """The JSON object in the body. 400 for what is no JSON, 422 for another value, 413 for too much of it.

    No body at all is an empty object where none is ``required``.
    """
    body = await read_body(max_bytes)
    if not body and not required:
        return {}
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Problem(400, "Not JSON", f"the body is not JSON that can be read: {error}") from None
    if not isinstance(value, dict):
        raise invalid("body", "a JSON object is needed")
    if _deeper_than(value, DEEPEST):
        raise invalid("body", f"it is nested more than {DEEPEST} levels deep")
    return value


def _deeper_than(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels + 1):
        level = [
            child
            for container in level
            if isinstance(container, dict | list)
            for child in (container.values() if isinstance(container, dict) else container)
        ]
        if not level:
            return False
    return True
