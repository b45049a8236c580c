"""How a ``websocket`` connector talks: what it says first, how it stays alive, and what frames mean to each other."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from .secret import encode_masked
from .terms import Expression, Name

Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
Message = str | dict[str, Any] | list[Any]
"""What is sent: a text as it stands, anything else as JSON."""


class Chunks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A long list in a message is sent in several: ``list`` is its path (``params.symbol``), ``size`` how much of it
    one message has.
    """

    list_: Name = field(name="list")
    size: Annotated[int, Meta(ge=1)]


class HandshakeStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step after connecting, again at every reconnect.

    ``send`` goes out, each of its ``chunk``\\ s by itself; then, for each, one of the next frames has to satisfy
    ``expect`` (JMESPath). ``timeout_seconds`` is how long frames are waited for.
    """

    send: Message | None = None
    chunk: Chunks | None = None
    expect: Expression | None = None
    timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 10


class Heartbeat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stream without any frame for ``idle_timeout_seconds`` is taken for dead, and connected anew.

    ``send`` goes out every ``every_seconds``; without a ``send`` that is a ping of the WebSocket protocol.
    """

    idle_timeout_seconds: Seconds = 60
    send: Message | None = None
    every_seconds: Seconds | None = None


def message_text(message: Message) -> str:
    """``message`` as it is sent."""
    if isinstance(message, str):
        return str(message)
    return msgspec.json.encode(message, enc_hook=encode_masked).decode()


def messages_of(step: HandshakeStep) -> list[str]:
    """What ``step`` sends, in its order; nothing when it only listens."""
    if step.send is None:
        return []
    found = chunked_list(step)
    if step.chunk is None or not found:
        return [message_text(step.send)]
    size, path = step.chunk.size, step.chunk.list_.split(".")
    return [
        message_text(_with_list(step.send, path, found[start : start + size])) for start in range(0, len(found), size)
    ]


def chunked_list(step: HandshakeStep) -> list[Any] | None:
    """The list that ``chunk`` names in ``send``; None when there is none."""
    found: Any = step.send
    for key in step.chunk.list_.split(".") if step.chunk is not None else ():
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, list) else None


def _with_list(message: Any, path: list[str], part: list[Any]) -> Any:
    return {**message, path[0]: _with_list(message[path[0]], path[1:], part)} if path else part
