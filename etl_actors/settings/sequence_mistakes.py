"""What is wrong with a sequence although each value is of the right type, as ``(key, reason)``."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from .connector import ConnectorSettings
from .disclosure import sounds_secret
from .sequence import KEY, Snapshot


def sequence_mistakes(connector: ConnectorSettings) -> Iterator[tuple[str, str]]:
    """Sequences of connectors that have no frames, order books that cannot be kept, urls that lead nowhere."""
    sequence = connector.sequence
    if sequence is None:
        return
    if connector.kind == "rest":
        yield "sequence", 'a rest connector has none; this is for kind = "websocket"'
        return
    book = {"bids": sequence.bids, "asks": sequence.asks, "snapshot": sequence.snapshot}
    if sequence.on_gap == "resync":
        if sequence.per_connection:
            yield "sequence.per_connection", "an order book is numbered by the provider, not by the connection"
        for name, value in book.items():
            if value is None:
                yield f"sequence.{name}", 'this key is missing, and on_gap = "resync" needs it'
    else:
        for name, value in book.items():
            if value is not None:
                yield f"sequence.{name}", 'this is for order books; give on_gap = "resync", too, or leave it out'
    if sequence.snapshot is not None:
        yield from _snapshot_mistakes(sequence.snapshot, has_key=sequence.key is not None)


def _snapshot_mistakes(snapshot: Snapshot, *, has_key: bool) -> Iterator[tuple[str, str]]:
    place = "sequence.snapshot.url"
    try:
        parts = urlsplit(snapshot.url)
        _ = parts.port  # raises where the port is none
    except ValueError:
        yield place, "its host or its port cannot be read"
        return
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield place, "a url that begins with https:// and names a host is needed"
    elif "@" in parts.netloc or any(sounds_secret(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        yield place, "no credentials are sent for a snapshot: leave them out of its url"
    elif "{" in parts.netloc:
        yield place, f"{KEY} comes from the provider and cannot say which host is asked; put it into the path or query"
    elif has_key and KEY not in parts.path + parts.query:
        yield place, f"say where the key goes, with {KEY}: …/depth?symbol={KEY}&limit=1000"
    elif not has_key and KEY in snapshot.url:
        yield place, f"the sequence has no key that {KEY} could stand for"
