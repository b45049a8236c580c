"""Reads request bodies no further than they may be long."""

from __future__ import annotations

from quart import request

from .problems import Problem


async def read_body(max_bytes: int) -> bytes:
    """The whole body; 413 as soon as it is known to be longer than ``max_bytes``."""
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
