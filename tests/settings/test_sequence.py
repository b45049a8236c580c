"""Sequences as people write them: what cannot work is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest

from etl_actors.errors import ConfigError
from etl_actors.settings import ConnectorSettings
from etl_actors.settings.request_body import draft_connector, sound

URL = "https://x.example/depth?symbol={key}"
BOOK = {
    "key": "s",
    "first": "U",
    "last": "u",
    "on_gap": "resync",
    "bids": "b",
    "asks": "a",
    "snapshot": {"url": URL, "cost": 50},
}


def read(sequence: Any, **changes: Any) -> ConnectorSettings:
    """The connector with this sequence."""
    connector = {"connector_id": "one", "kind": "websocket", "url": "wss://x.example/ws", "sequence": sequence}
    return sound(*draft_connector(connector | changes))


def without(name: str) -> dict[str, Any]:
    """An order book that lacks something."""
    return {key: value for key, value in BOOK.items() if key != name}


def test_what_is_not_said_has_its_default() -> None:
    """A first number is enough; Binance's names are the defaults of a snapshot."""
    sequence = read({"first": "t"}).sequence
    assert sequence is not None
    assert (sequence.key, sequence.last, sequence.on_gap, sequence.max_keys) == (None, None, "report", 1000)
    snapshot = getattr(read(BOOK).sequence, "snapshot", None)
    assert (snapshot.last, snapshot.bids, snapshot.asks) == ("lastUpdateId", "bids", "asks")


@pytest.mark.parametrize(
    ("sequence", "changes", "place"),
    [
        ({"first": "t"}, {"kind": "rest", "url": "https://x.example"}, "sequence"),
        ({"key": "s"}, {}, "sequence.first"),
        ({"first": ""}, {}, "sequence.first"),
        ({"first": "t", "on_gap": "ignore"}, {}, "sequence.on_gap"),
        ({"first": "t", "max_keys": 0}, {}, "sequence.max_keys"),
        ({"first": "t", "bids": "b"}, {}, "sequence.bids"),
        ({"first": "t", "snapshot": {"url": URL}}, {}, "sequence.snapshot"),
        (without("bids"), {}, "sequence.bids"),
        (without("asks"), {}, "sequence.asks"),
        (without("snapshot"), {}, "sequence.snapshot"),
        (BOOK | {"per_connection": True}, {}, "sequence.per_connection"),
        (BOOK | {"snapshot": {"url": "https://x.example/depth"}}, {}, "sequence.snapshot.url"),
        (BOOK | {"snapshot": {"url": "ftp://x.example/{key}"}}, {}, "sequence.snapshot.url"),
        (BOOK | {"snapshot": {"url": "https://{key}.example/{key}"}}, {}, "sequence.snapshot.url"),
        (BOOK | {"snapshot": {"url": "https://x.example:port/{key}"}}, {}, "sequence.snapshot.url"),
        (BOOK | {"snapshot": {"url": "https://me:secret@x.example/{key}"}}, {}, "sequence.snapshot.url"),
        (BOOK | {"snapshot": {"url": URL + "&api_key=secret"}}, {}, "sequence.snapshot.url"),
        (without("key"), {}, "sequence.snapshot.url"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place(sequence: Any, changes: Any, place: str) -> None:
    """And no reason repeats what may be a secret."""
    with pytest.raises(ConfigError) as refused:
        read(sequence, **changes)
    assert place in [path for _, path, _ in refused.value.mistakes]
    assert not any("secret" in reason for _, _, reason in refused.value.mistakes)


def test_a_change_of_the_numbers_makes_a_new_fingerprint() -> None:
    """What was remembered under other numbers no longer counts; without a sequence nothing changes."""
    plain, numbered = read({"first": "t"}), read({"first": "u"})
    assert plain.fingerprint() != numbered.fingerprint()
    none = ConnectorSettings(connector_id="one", url="https://x.example")
    assert none.fingerprint().hex() == "f8d094576f5420af9ae5ed39a8e22158"
