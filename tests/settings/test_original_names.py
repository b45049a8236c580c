"""The original's names become the schema's; contradictions are told, and no secret with them."""

from __future__ import annotations

from typing import Any

import pytest

from etl_actors.errors import ConfigError
from etl_actors.settings import ConnectorSettings
from etl_actors.settings.decoding import Mistake, convert
from etl_actors.settings.original_names import translated_names

SOUND: dict[str, Any] = {"connector_id": "one", "url": "https://h/x"}


def mistakes(**document: Any) -> list[tuple[str, str]]:
    """The keys that are wrong and why; no reason shows a secret."""
    with pytest.raises(ConfigError) as caught:
        translated_names(document)
    assert "canary" not in str(caught.value)
    return [(path, reason) for _, path, reason in caught.value.mistakes]


def test_the_originals_example_becomes_the_schema() -> None:
    """With the key in ``X-API-Key``; what is not translated is left as it is."""
    original = {
        "id": "my_api", "name": "My Custom API", "url": "https://api.example.com/data", "method": "GET",
        "auth_type": "api_key", "auth_value": "your-api-key",
    }  # fmt: skip
    translated = translated_names(original)
    assert translated == {
        "connector_id": "my_api", "connector_name": "My Custom API", "url": "https://api.example.com/data",
        "method": "GET", "auth": {"type": "api_key", "header": "X-API-Key", "value": "your-api-key"},
    }  # fmt: skip
    assert "id" in original
    assert translated_names(translated) == translated


@pytest.mark.parametrize(
    ("named", "value", "auth"),
    [
        ("api_key", "k", {"type": "api_key", "header": "X-API-Key", "value": "k"}),
        ("API Key", "k", {"type": "api_key", "header": "X-API-Key", "value": "k"}),
        ("apikey", "", {"type": "api_key", "header": "X-API-Key", "value": ""}),
        ("API-KEY", {"value": "k"}, {"type": "api_key", "header": "X-API-Key", "value": "k"}),
        ("api_key", {"value": "k", "param": "key"}, {"type": "api_key", "param": "key", "value": "k"}),
        ("bearer", "t", {"type": "bearer", "token": "t"}),
        ("Bearer Token", "Bearer t", {"type": "bearer", "token": "t"}),
        ("bearer_token", {"token": "t"}, {"type": "bearer", "token": "t"}),
        ("Basic Auth", "user:pass:word", {"type": "basic", "username": "user", "password": "pass:word"}),
        ("basic", {"username": "u", "password": "p"}, {"type": "basic", "username": "u", "password": "p"}),
        ("basic-auth", "", {"type": "basic", "username": "", "password": ""}),
        ("HMAC", "k:s", {"type": "hmac", "key": "k", "secret": "s"}),
        ("hmac", {"key": "k", "secret": "s"}, {"type": "hmac", "key": "k", "secret": "s"}),
    ],
)
def test_types_are_read_as_people_write_them(named: str, value: Any, auth: dict[str, str]) -> None:
    """In any case, with any separator; and the schema takes what comes out."""
    translated = translated_names({**SOUND, "auth_type": named, "auth_value": value})
    assert translated["auth"] == auth
    found: list[Mistake] = []
    assert convert(translated, ConnectorSettings, "", found) is not None
    assert not found


@pytest.mark.parametrize("named", ["none", "None", "", None, "No Auth"])
@pytest.mark.parametrize("value", ["", None])
def test_no_authentication_is_none(named: str | None, value: str | None) -> None:
    """However it is said."""
    assert translated_names({**SOUND, "auth_type": named, "auth_value": value}) == SOUND
    assert translated_names({**SOUND, "auth": {"type": "none"}, "auth_type": None}) == {
        **SOUND,
        "auth": {"type": "none"},
    }


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"id": "one", "connector_id": "two"}, "id"),
        ({"name": "One", "connector_name": "Two"}, "name"),
        ({"auth_value": "canary"}, "auth_type"),
        ({"auth_type": "none", "auth_value": "canary"}, "auth_value"),
        ({"auth_type": "api_key"}, "auth_value"),
        ({"auth_type": "api_key", "auth_value": None}, "auth_value"),
        ({"auth_type": "api_key", "auth_value": 5}, "auth_value"),
        ({"auth_type": "magic", "auth_value": "canary"}, "auth_type"),
        ({"auth_type": ["api_key"], "auth_value": "canary"}, "auth_type"),
        ({"auth_type": "basic", "auth_value": "canary"}, "auth_value"),
        ({"auth_type": "hmac", "auth_value": "canary"}, "auth_value"),
        ({"auth_type": "oauth2", "auth_value": "canary"}, "auth_value"),
        ({"auth_type": "bearer", "auth_value": {"type": "basic", "token": "canary"}}, "auth_value"),
        ({"auth_type": "bearer", "auth_value": "canary", "auth": {"type": "none"}}, "auth"),
    ],
)
def test_contradictions_are_told(document: dict[str, Any], path: str) -> None:
    """With the key that is wrong."""
    assert [found for found, _ in mistakes(**document)] == [path]


def test_the_same_said_twice_is_no_contradiction() -> None:
    """Both names, one value; and every mistake is told at once."""
    assert translated_names({"id": "one", "connector_id": "one"}) == {"connector_id": "one"}
    both = mistakes(id="a", connector_id="b", auth_type="magic")
    assert [path for path, _ in both] == ["id", "auth_type"]
    assert "api_key" in both[1][1]
