"""What the schema cannot see of the keys of ``websocket`` connectors, as ``(key, reason)``."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from .connector import ConnectorSettings
from .streams import chunked_list

_OWN_KEYS = (
    *("handshake", "heartbeat", "message_type", "ignore", "sequence", "max_age_seconds", "reconnect_on"),
    *("overlap_seconds", "duplicate_key", "messages_per_second"),
)
_OWN_HEADERS = frozenset(
    {
        *("host", "connection", "upgrade", "content-length", "transfer-encoding"),
        *("sec-websocket-key", "sec-websocket-version", "sec-websocket-accept", "sec-websocket-extensions"),
    }
)


def stream_mistakes(connector: ConnectorSettings) -> Iterator[tuple[str, str]]:
    """Keys of another kind, steps that do nothing, headers that the protocol sets."""
    plain = ConnectorSettings(connector_id=connector.connector_id, url=connector.url)
    if connector.kind != "websocket":
        for key in _OWN_KEYS:
            if getattr(connector, key) != getattr(plain, key):
                yield key, f'a {connector.kind} connector has none; this is for kind = "websocket"'
        return
    if connector.method != "GET":
        yield "method", "a WebSocket is opened with GET; leave it out"
    if connector.store == "changed":
        yield "store", 'every frame of a stream is stored; "changed" is for what is polled'
    if urlsplit(connector.url).fragment:
        yield "url", "the url of a WebSocket has no #fragment"
    for name in connector.headers:
        if name.lower() in _OWN_HEADERS:
            yield f"headers.{name}", "the WebSocket handshake sets this header; leave it out"
    yield from _handshake_mistakes(connector)
    heartbeat = connector.heartbeat
    if heartbeat is not None and heartbeat.send is not None and heartbeat.every_seconds is None:
        yield "heartbeat.send", "say how often, too: every_seconds"
    if heartbeat is not None and heartbeat.send == "":
        yield "heartbeat.send", "an empty message says nothing; leave it out for a ping of the protocol"
    if connector.max_age_seconds is not None and connector.max_age_seconds <= connector.overlap_seconds:
        yield "max_age_seconds", "a socket has to live longer than it overlaps with the next (overlap_seconds)"


def _handshake_mistakes(connector: ConnectorSettings) -> Iterator[tuple[str, str]]:
    for index, step in enumerate(connector.handshake):
        place = f"handshake[{index}]"
        if step.send is None and step.expect is None:
            yield place, "a step sends something, expects something, or both"
        if step.send == "":
            yield f"{place}.send", "an empty message says nothing"
        if step.chunk is None:
            continue
        if not isinstance(step.send, dict):
            yield f"{place}.chunk", "only a send that is a table can be sent in chunks"
        elif not chunked_list(step):
            yield f"{place}.chunk.list", f"send has no list at {step.chunk.list_!r}"
