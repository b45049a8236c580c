"""Which values of a connector are secrets, and that each way of handling them finds the same places."""

from __future__ import annotations

from typing import Any

import pytest

from etl_actors.errors import ConfigError
from etl_actors.settings import ConnectorSettings, OAuth2Auth, Secret
from etl_actors.settings.destination import destination
from etl_actors.settings.disclosure import (
    opened_document,
    plain_document,
    sealed_document,
    secret_texts,
    shown_document,
    shown_url,
    sounds_secret,
    with_kept_secrets,
)
from etl_actors.settings.request_body import draft_connector, draft_extract, sound

CONNECTOR = ConnectorSettings(
    connector_id="c",
    url="https://api.example/x",
    headers={"X-Auth-Token": "canary-1", "Accept": "text/plain"},
    params={"api_key": "canary-2", "symbol": "BTC", "limit": 5},
    auth=OAuth2Auth(token_url="https://auth.example/t", client_id="us", client_secret=Secret("canary-3")),
)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "X-Api-Key",
        "api_key",
        "apikey",
        "x_cg_demo_api_key",
        "accessToken",
        "X-MBX-APIKEY",
        "Cookie",
        "password",
        "sig",
        "client_secret",
        "X-Amz-Signature",
        "JWT",
    ],
)
def test_a_name_that_sounds_secret(name: str) -> None:
    """Whatever its spelling."""
    assert sounds_secret(name)


@pytest.mark.parametrize(
    "name", ["Accept", "symbol", "keyword", "passenger", "design", "User-Agent", "limit", "assign"]
)
def test_a_name_that_does_not(name: str) -> None:
    """Parts of other words do not count."""
    assert not sounds_secret(name)


def test_a_shown_connector_holds_no_secret() -> None:
    """Masks in the places of secrets, everything else as it is."""
    shown = shown_document(CONNECTOR)
    assert "canary" not in str(shown)
    assert (shown["headers"], shown["params"]["symbol"]) == ({"X-Auth-Token": "***", "Accept": "text/plain"}, "BTC")
    assert shown["auth"]["client_id"] == "us"
    assert shown_document(ConnectorSettings(connector_id="c", url="https://x/"))["auth"] == {"type": "none"}


def test_a_shown_url_holds_no_secret() -> None:
    """Neither a user nor a parameter that sounds secret; other urls are not touched."""
    assert shown_url("https://u:canary@h/p?token=canary&a=b%20c") == "https://h/p?token=***&a=b%20c"
    assert shown_url("https://h/p?a=b+c#f") == "https://h/p?a=b+c#f"
    assert shown_url("https://[broken?token=canary") == "***"


def test_sealing_and_opening_meet_in_the_same_places() -> None:
    """What was sealed opens to what it was; what is kept holds no secret."""
    sealed = sealed_document(plain_document(CONNECTOR), lambda path, text: f"<{path}|{text[::-1]}>")
    assert "canary" not in str(sealed)
    assert sorted(secret_texts(sealed)) == [
        "<auth.client_secret|3-yranac>",
        "<headers.X-Auth-Token|1-yranac>",
        "<params.api_key|2-yranac>",
    ]
    opened = opened_document(sealed, lambda path, text: text.strip("<>").split("|")[1][::-1])
    assert opened == plain_document(CONNECTOR)


def test_a_mask_stands_for_what_is_kept() -> None:
    """And for nothing where nothing is kept; what is given is taken."""
    sent: dict[str, Any] = shown_document(CONNECTOR)
    sent["headers"]["X-New-Token"] = "***"
    sent["params"]["api_key"] = "canary-new"
    complete, missing, used = with_kept_secrets(sent, plain_document(CONNECTOR))
    assert (missing, sorted(used)) == (["headers.X-New-Token"], ["auth.client_secret", "headers.X-Auth-Token"])
    assert complete["auth"]["client_secret"] == "canary-3"
    assert complete["params"]["api_key"] == "canary-new"
    assert sent["auth"]["client_secret"] == "***"  # what the caller holds is not written to


def test_the_destination_is_every_host_that_is_asked() -> None:
    """Default ports are said, paths are not."""
    assert destination(plain_document(CONNECTOR)) == "https://api.example:443 https://auth.example:443"
    assert destination({"url": "http://h:99/x?y"}) == "http://h:99"


def test_nothing_is_read_from_our_environment() -> None:
    """A reference in what a caller sends is text."""
    read = sound(*draft_connector({"connector_id": "c", "url": "https://h/", "headers": {"X-A": "${HOME}"}}))
    assert read.headers["X-A"] == "${HOME}"


def test_an_extraction_is_a_connector_that_is_asked_once() -> None:
    """Without an id it goes under the reserved one; with one, that is checked; schedules make no sense."""
    assert sound(*draft_extract({"url": "https://h/"})).connector_id == "extract"
    assert sound(*draft_extract({"url": "https://h/", "connector_id": "mine"})).connector_id == "mine"
    for wrong in ({}, {"url": "https://h/", "connector_id": "items"}, {"url": "https://h/", "interval_seconds": 1}):
        with pytest.raises(ConfigError):
            sound(*draft_extract(wrong))
