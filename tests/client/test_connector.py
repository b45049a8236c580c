"""Connectors from Python: checked when made, saved into a running service, under trio and asyncio alike."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from etl_actors import RestConnector, WebSocketConnector
from etl_actors.errors import ConfigError, RequestFailed, UsageError

from .answering import Answering, answering

ORIGINAL = {
    "id": "my_api", "name": "My Custom API", "url": "https://api.example.com/data", "method": "GET",
    "auth_type": "api_key", "auth_value": "canary-key",
}  # fmt: skip


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """A service that the environment names."""
    with answering() as server:
        monkeypatch.setenv("ETL_URL", server.url)
        monkeypatch.setenv("ETL_API_KEY", "etl_canary")
        yield server


async def test_the_originals_example_saves(service: Answering) -> None:
    """One POST, with the key of the service in its header and the key of the provider in ``X-API-Key``."""
    stored = await RestConnector(**ORIGINAL).save()
    assert stored["connector_id"] == "my_api"
    assert stored["auth"] == {"type": "api_key", "header": "X-API-Key", "value": "***"}
    ((method, path, headers, body),) = service.asked
    assert (method, path) == ("POST", "/api/connectors")
    assert headers["Authorization"] == "Bearer etl_canary"
    assert headers["Content-Type"] == "application/json"
    assert body == {
        "kind": "rest", "connector_id": "my_api", "connector_name": "My Custom API", "method": "GET",
        "url": "https://api.example.com/data",
        "auth": {"type": "api_key", "header": "X-API-Key", "value": "canary-key"},
    }  # fmt: skip


async def test_saving_again_replaces(service: Answering) -> None:
    """An id that is taken is put, not refused."""
    await RestConnector(**ORIGINAL).save()
    stored = await RestConnector(**{**ORIGINAL, "interval_seconds": 30}).save()
    assert stored["interval_seconds"] == 30
    assert [(method, path) for method, path, _, _ in service.asked[1:]] == [
        ("POST", "/api/connectors"),
        ("PUT", "/api/connectors/my_api"),
    ]


async def test_status_load_and_delete(service: Answering) -> None:
    """What was loaded can be saved again as it is; a deleted one is gone."""
    connector = RestConnector(**ORIGINAL, items={"price": "last"}, params={"a": 1})
    await connector.save()
    assert (await connector.status())["state"] == "running"
    loaded = await RestConnector.load("my_api")
    assert repr(loaded) == "RestConnector(connector_id='my_api')"
    await loaded.save()
    assert service.connectors["my_api"]["auth"]["value"] == "***"
    assert service.connectors["my_api"]["items"] == {"price": "last"}
    await connector.delete()
    for gone in (connector.delete, connector.status):
        with pytest.raises(RequestFailed, match="there is no connector") as caught:
            await gone()
        assert caught.value.status == 404


async def test_what_was_loaded_is_put_under_its_version(service: Answering) -> None:
    """Nobody's change is overwritten unseen: the second who saves is told, by which call to get it again."""
    await RestConnector(**ORIGINAL).save()
    mine, theirs = await RestConnector.load("my_api"), await RestConnector.load("my_api")
    theirs.interval_seconds = 20
    await theirs.save()
    await theirs.save()  # under the version of its own change
    mine.change(interval_seconds=30)
    with pytest.raises(RequestFailed, match=r"changed by somebody else.*RestConnector\.load\('my_api'\)") as caught:
        await mine.save()
    assert caught.value.status == 412
    assert service.connectors["my_api"]["interval_seconds"] == 20
    assert [one[0] for one in service.asked[1:]] == ["GET", "GET", "PUT", "PUT", "PUT"]


def test_settings_are_attributes() -> None:
    """Read with their defaults, changed by assignment or several at once, checked as when the class is made."""
    connector = RestConnector(**ORIGINAL)
    assert (connector.id, connector.name, connector.interval_seconds) == ("my_api", "My Custom API", 10)
    connector.interval_seconds = 9
    connector.change(name="Other", items={"price": "p"}, auth_type="bearer", auth_value="canary-token")
    assert (connector.interval_seconds, connector.connector_name, connector.items) == (9, "Other", {"price": "p"})
    assert connector.auth == {"type": "bearer", "token": "canary-token"}
    connector.items["price"] = "nothing"  # a copy: what is saved is what was checked
    assert connector.items == {"price": "p"}
    with pytest.raises(AttributeError, match="intervall_seconds: no connector has such a setting"):
        _ = connector.intervall_seconds
    for change, sentence in [
        ({"intervall_seconds": 5}, "RestConnector: intervall_seconds: unknown key; did you mean 'interval_seconds'"),
        ({"interval_seconds": "often"}, "RestConnector: interval_seconds: a number is needed, this is a text"),
        ({"id": "other"}, "RestConnector: id: this is connector 'my_api'; another id needs a RestConnector of its own"),
    ]:
        with pytest.raises(ConfigError) as caught:
            connector.change(**change, name="not taken over")
        assert sentence in str(caught.value)
        ((name, value),) = change.items()
        with pytest.raises(ConfigError):
            setattr(connector, name, value)
    assert (connector.interval_seconds, connector.name) == (9, "Other")


async def test_one_from_a_file_says_which(service: Answering) -> None:
    """The second refusal is the one that tells why."""
    await RestConnector(**ORIGINAL).save()
    service.from_file.add("my_api")
    with pytest.raises(RequestFailed, match=r"409.*written in a\.toml"):
        await RestConnector(**ORIGINAL).save()


async def test_a_stream_is_of_its_kind(service: Answering) -> None:
    """``kind`` need not be said, and cannot be said wrong."""
    stored = await WebSocketConnector(connector_id="stream", url="wss://stream.example.com/ws").save()
    assert stored["kind"] == "websocket"
    with pytest.raises(ConfigError, match="RestConnector: kind"):
        RestConnector(connector_id="stream", url="wss://stream.example.com/ws", kind="websocket")
    with pytest.raises(ConfigError, match="WebSocketConnector: url"):
        WebSocketConnector(connector_id="stream", url="https://example.com")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"intervall_seconds": 5}, "intervall_seconds: unknown key; did you mean 'interval_seconds'"),
        ({"interval_seconds": "often"}, "interval_seconds"),
        ({"items": {"prise": "x"}}, "items.prise: unknown key; did you mean 'price'"),
        ({"id": "no spaces"}, "id: an id is"),
        ({"id": "upload"}, "id: 'upload' is reserved"),
        ({"connector_id": "other"}, "id"),
        ({"auth_type": "magic"}, "auth_type"),
        ({"auth_value": "canary\n"}, "auth.value"),
        ({"url": "ftp://h/"}, "url"),
        ({"url": None}, "url"),
        ({"params": {"a": object()}}, "(arguments)"),
    ],
)
def test_mistakes_are_found_before_anything_is_sent(change: dict[str, Any], place: str) -> None:
    """Each with its key, and without the secret."""
    with pytest.raises(ConfigError) as caught:
        RestConnector(**{**ORIGINAL, **change})
    assert f"RestConnector: {place}" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_what_is_needed_is_said() -> None:
    """Without a url there is nothing to poll."""
    with pytest.raises(ConfigError, match="url"):
        RestConnector(id="my_api")


def test_texts_are_taken_as_they_are() -> None:
    """``${NAME}`` belongs into files; nothing of the environment goes into a definition, and no dollar is lost."""
    connector = RestConnector(**{**ORIGINAL, "auth_value": "pa$$word${HOME}"})
    assert connector._definition["auth"]["value"] == "pa$$word${HOME}"


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://h", "http://", "http://h:port", "http://[::1"])
async def test_an_address_that_is_none_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the variable that holds it."""
    monkeypatch.setenv("ETL_URL", url)
    with pytest.raises(UsageError, match="ETL_URL"):
        await RestConnector(**ORIGINAL).save()


async def test_a_key_that_no_header_can_hold_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without showing it."""
    monkeypatch.setenv("ETL_API_KEY", "canary\nkey")
    with pytest.raises(UsageError, match="ETL_API_KEY") as caught:
        await RestConnector(**ORIGINAL).save()
    assert "canary" not in str(caught.value)


async def test_no_service_is_one_sentence(service: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it was looked for; a password in the address is not in it."""
    monkeypatch.setenv("ETL_URL", "http://me:canary@127.0.0.1:1/")
    with pytest.raises(RequestFailed, match=r"no service answers at http://127\.0\.0\.1:1.*refused") as caught:
        await RestConnector(**ORIGINAL).save()
    assert caught.value.status is None
    told = "".join(traceback.format_exception(caught.value))
    assert "canary" not in told
    assert "httpx" not in told.splitlines()[-1]
    assert "During handling" not in told
    assert "direct cause" not in told


@pytest.mark.parametrize(
    ("status", "kind", "body", "sentence"),
    [
        (401, "application/problem+json", b'{"title":"Unauthorized","detail":"a key is needed"}',
         "a key is needed.*ETL_API_KEY"),
        (422, "application/problem+json",
         b'{"title":"Not valid","detail":"x","errors":[{"path":"limit","message":"no such limit"}]}',
         "limit: no such limit"),
        (502, "text/html", b"<html>Bad gateway</html>", "502.*is this the address of etl-actors"),
        (200, "text/html", b"<html>Welcome</html>", "200.*is this the address of etl-actors"),
        (200, "application/json", b"[]", "is this the address of etl-actors"),
    ],
)  # fmt: skip
async def test_a_refusal_is_one_sentence(
    service: Answering, status: int, kind: str, body: bytes, sentence: str
) -> None:
    """With the places of what is not valid, and a hint when it is another kind of server."""
    service.always = (status, kind, body)
    with pytest.raises(RequestFailed, match=sentence) as caught:
        await RestConnector(**ORIGINAL).save()
    assert caught.value.status == status


def test_it_works_under_asyncio_too(service: Answering) -> None:
    """The loop that most programs run."""
    program = (
        "import asyncio\n"
        "from etl_actors import RestConnector\n"
        f"print(asyncio.run(RestConnector(**{ORIGINAL!r}).save())['connector_id'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ),
    )  # fmt: skip
    assert done.stdout == "my_api\n", done.stderr
    assert list(service.connectors) == ["my_api"]


def test_importing_the_package_imports_no_room() -> None:
    """The classes come when they are asked for; neither loop is imported by ours."""
    program = (
        "import sys, etl_actors\n"
        "assert 'RestConnector' in etl_actors.__all__\n"
        "print([name for name in sys.modules if name.startswith(('etl_actors.', 'httpx', 'msgspec', 'asyncio'))])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
