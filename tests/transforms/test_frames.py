"""What a frame is, told by expressions that meet many shapes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from etl_actors.errors import ConfigError
from etl_actors.settings import ConnectorSettings, HandshakeStep, Sequence
from etl_actors.transforms.frames import FrameRules
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.symbols import EMPTY


def rules(**changes: Any) -> FrameRules:
    return Mapping(ConnectorSettings(connector_id="one", url="ws://x", kind="websocket", **changes), EMPTY).frames


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"e": "trade"}, "trade"),
        ({"e": 7}, "7"),
        ({"e": Decimal("1.50")}, "1.50"),
        ({"e": True}, "true"),
        ({"e": ""}, None),
        ({"e": None}, None),
        ({"e": ["trade"]}, None),
        ({"E": "trade"}, None),
        ([1], None),
        ("text", None),
        ({"e": "a\0b"}, "a\ufffdb"),
        ({"e": "x" * 500}, "x" * 100),
    ],
)
def test_the_type_of_a_frame(document: Any, expected: str | None) -> None:
    """A text of at most a hundred characters, or none; the case of a key matters."""
    assert rules(message_type="e").message_type(document) == expected


@pytest.mark.parametrize("document", [None, 1, "text", [], {}, {"type": 5}, {"type": ["a"]}, [[{"type": None}]]])
def test_an_expression_that_cannot_be_evaluated_does_not_hold(document: Any) -> None:
    """Whatever comes, nothing is raised."""
    ready = rules(
        ignore="starts_with(type, 'x')",
        reconnect_on="contains(keys(@), 'bye')",
        message_type="join('', type)",
        duplicate_key="length(type)",
        handshake=(HandshakeStep(expect="ends_with(type, 'x')"),),
    )
    assert not ready.ignored(document)
    assert not ready.says_goodbye(document)
    assert not ready.answers(0, document)
    ready.message_type(document)
    ready.duplicate_key(document)


def test_no_rules_say_nothing() -> None:
    """A connector without any of them has data only."""
    ready = rules()
    assert (ready.message_type({"a": 1}), ready.duplicate_key({"a": 1})) == (None, None)
    assert not ready.ignored({"a": 1})
    assert not ready.says_goodbye({"a": 1})


def test_wrong_expressions_are_told_with_their_places() -> None:
    """All of them at once."""
    with pytest.raises(ConfigError) as error:
        rules(
            message_type="a[",
            ignore="nope(a)",
            reconnect_on="|",
            duplicate_key="a b",
            handshake=(HandshakeStep(send="x"), HandshakeStep(expect="][")),
            sequence=Sequence(first="(", key="]"),
        )
    assert {path for _, path, _ in error.value.mistakes} == {
        f"one.{key}"
        for key in (
            *("message_type", "ignore", "reconnect_on", "duplicate_key"),
            *("handshake[1].expect", "sequence.first", "sequence.key"),
        )
    }
