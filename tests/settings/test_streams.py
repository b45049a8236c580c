"""What a websocket connector may say of itself, and what is refused with the place and the mend."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etl_actors.errors import ConfigError
from etl_actors.settings import ConnectorSettings
from etl_actors.settings.connector import ConnectorSettings as Schema
from etl_actors.settings.disclosure import opened_document, sealed_document, shown_document, with_kept_secrets
from etl_actors.settings.request_body import draft_connector, sound
from etl_actors.settings.streams import messages_of

STREAM = {"connector_id": "one", "kind": "websocket", "url": "wss://stream.example.org/ws"}


def read(**changes: Any) -> ConnectorSettings:
    return sound(*draft_connector({**STREAM, **changes}))


def refused(**changes: Any) -> dict[str, str]:
    """Path and reason of everything that is wrong."""
    with pytest.raises(ConfigError) as error:
        read(**changes)
    return {path: reason for _, path, reason in error.value.mistakes}


def test_a_whole_stream_is_read() -> None:
    """Every key of it, and the defaults of those that are left out."""
    made = read(
        handshake=[{"send": {"op": "sub", "id": 1}, "expect": "ok", "timeout_seconds": 5}, {"send": "hello"}],
        heartbeat={"idle_timeout_seconds": 30, "send": "ping", "every_seconds": 15},
        message_type="type",
        ignore="type == 'pong'",
        sequence={"key": "s", "first": "U", "last": "u"},
        max_age_seconds=82_800,
    )
    assert [messages_of(step) for step in made.handshake] == [['{"op":"sub","id":1}'], ["hello"]]
    assert made.handshake[1].timeout_seconds == 10
    assert (made.messages_per_second, made.overlap_seconds) == (5, 2)


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"url": "https://x.org"}, "url", "begins with ws:// or wss://"),
        ({"url": "wss://x.org/#a"}, "url", "#fragment"),
        ({"method": "POST"}, "method", "leave it out"),
        ({"store": "changed"}, "store", "every frame"),
        ({"pagination": "page"}, "pagination", 'this is for kind = "rest"'),
        ({"headers": {"Sec-WebSocket-Key": "x"}}, "headers.Sec-WebSocket-Key", "leave it out"),
        ({"handshake": [{}]}, "handshake[0]", "sends something, expects something"),
        ({"handshake": [{"send": ""}]}, "handshake[0].send", "empty"),
        ({"handshake": [{"send": "x", "chunk": {"list": "a", "size": 1}}]}, "handshake[0].chunk", "only a send"),
        (
            {"handshake": [{"send": {"a": {}}, "chunk": {"list": "a.b", "size": 1}}]},
            "handshake[0].chunk.list",
            "no list at 'a.b'",
        ),
        ({"handshake": [{"send": "x", "timeout_seconds": 0}]}, "handshake[0].timeout_seconds", "more than 0"),
        ({"handshake": [{"sent": "x"}]}, "handshake[0].sent", "did you mean 'send'?"),
        ({"heartbeat": {"send": "x"}}, "heartbeat.send", "every_seconds"),
        ({"heartbeat": {"idle_timeout_seconds": -1}}, "heartbeat.idle_timeout_seconds", "more than 0"),
        ({"max_age_seconds": 1}, "max_age_seconds", "overlap_seconds"),
        ({"messages_per_second": 0}, "messages_per_second", "more than 0"),
        ({"sequence": {"key": "s"}}, "sequence.first", "missing"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], path: str, words: str) -> None:
    """With the path of the key and how to mend it."""
    assert words in refused(**changes)[path]


@pytest.mark.parametrize(
    "key",
    [
        "handshake",
        "heartbeat",
        "message_type",
        "ignore",
        "sequence",
        "max_age_seconds",
        "reconnect_on",
        "duplicate_key",
    ],
)
def test_a_polled_connector_has_none_of_it(key: str) -> None:
    """It would look as if it worked."""
    values = {"handshake": [{"send": "x"}], "heartbeat": {}, "sequence": {"first": "u"}, "max_age_seconds": 9}
    found = refused(kind="rest", url="https://x.org", **{key: values.get(key, "x")})
    assert found[key] == 'a rest connector has none; this is for kind = "websocket"'


def test_a_long_list_is_cut() -> None:
    """The rest of the message is in every part."""
    made = read(handshake=[{"send": {"p": {"s": [1, 2, 3]}, "id": 7}, "chunk": {"list": "p.s", "size": 2}}])
    assert [json.loads(text) for text in messages_of(made.handshake[0])] == [
        {"p": {"s": [1, 2]}, "id": 7},
        {"p": {"s": [3]}, "id": 7},
    ]


def test_secrets_in_messages_are_masked_and_sealed() -> None:
    """By their names, however deep, and given back where the mask stands."""
    made = read(
        handshake=[{"send": {"op": "auth", "args": [{"apiKey": "canary", "id": "plain"}]}}],
        heartbeat={"send": {"token": "canary2"}, "every_seconds": 5},
    )
    shown = shown_document(made)
    assert "canary" not in json.dumps(shown)
    assert shown["handshake"][0]["send"]["args"][0] == {"apiKey": "***", "id": "plain"}
    sealed = sealed_document(json.loads(json.dumps(shown)), lambda path, text: f"sealed {path}")
    assert sealed["handshake"][0]["send"]["args"][0]["apiKey"] == "sealed handshake[0].send.args[0].apiKey"
    opened = opened_document(sealed, lambda path, text: text.removeprefix("sealed "))
    assert opened["heartbeat"]["send"]["token"] == "heartbeat.send.token"
    complete, missing, _ = with_kept_secrets(shown, opened)
    assert missing == []
    assert complete["handshake"][0]["send"]["args"][0]["apiKey"] == "handshake[0].send.args[0].apiKey"


def test_what_is_shown_is_read_again_as_the_same() -> None:
    """A client may send back what it got."""
    made = read(handshake=[{"send": {"a": [1]}, "chunk": {"list": "a", "size": 1}}], max_age_seconds=60)
    assert sound(*draft_connector(json.loads(json.dumps(shown_document(made))))) == made
    assert set(shown_document(made)) == set(Schema.__struct_fields__)
