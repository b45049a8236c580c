"""Every way to authenticate against a provider that checks, on real sockets; and that no secret is ever shown."""

from __future__ import annotations

import hashlib
import hmac
import logging
import traceback
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from etl_actors.errors import PollFailed
from etl_actors.messages import Checkpoint
from etl_actors.settings import (
    ApiKeyAuth,
    Auth,
    BasicAuth,
    BearerAuth,
    ConnectorSettings,
    HmacAuth,
    NoAuth,
    OAuth2Auth,
    Secret,
)
from etl_actors.settings.service import Upstream
from etl_actors.sources.rest import RestSource

from .providers import Script, client, provider, response

CANARY = 'canary+/=%s &"<ü'.replace("ü", "")
PAIR = b64encode(f"{CANARY}1:{CANARY}2".encode()).decode()


def headers(head: bytes) -> httpx.Headers:
    """Those of a request."""
    lines = head.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return httpx.Headers([(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)])


def signed(head: bytes) -> bool:
    """Whether the provider accepts the signature."""
    query = head.split(b" ")[1].partition(b"?")[2]
    text, _, given = query.rpartition(b"&signature=")
    good = hmac.new(f"{CANARY}2".encode(), text, hashlib.sha256).hexdigest()
    return good.encode() == given and headers(head)["x-mbx-apikey"] == f"{CANARY}1"


def checking(accepts: Callable[[bytes], bool]) -> Script:
    """A provider that answers 401, and repeats all that it was sent, unless the credentials are right."""

    async def script(stream: Any, head: bytes) -> None:
        if accepts(head):
            await stream.send_all(response(b'{"price": "1.50"}'))
        else:
            await stream.send_all(response(b"wrong: " + head[:3000], status="401 Unauthorized"))

    return script


WAYS: list[Any] = [
    pytest.param(NoAuth(), lambda head: "authorization" not in headers(head), id="none"),
    pytest.param(ApiKeyAuth(value=Secret(CANARY)), lambda head: headers(head)["x-api-key"] == CANARY, id="header"),
    pytest.param(
        ApiKeyAuth(value=Secret(CANARY), param="key"),
        lambda head: httpx.URL("/" + head.split(b" ")[1].decode()).params["key"] == CANARY,
        id="param",
    ),
    pytest.param(
        BearerAuth(token=Secret(CANARY)), lambda head: headers(head)["authorization"] == f"Bearer {CANARY}", id="bearer"
    ),
    pytest.param(
        BasicAuth(username=Secret(f"{CANARY}1"), password=Secret(f"{CANARY}2")),
        lambda head: headers(head)["authorization"] == f"Basic {PAIR}",
        id="basic",
    ),
    pytest.param(HmacAuth(key=Secret(f"{CANARY}1"), secret=Secret(f"{CANARY}2")), signed, id="hmac"),
]


def source(url: str, auth: Auth, shared: httpx.AsyncClient, **settings: Any) -> RestSource:
    connector = ConnectorSettings(connector_id="one", url=url, auth=auth, timeout_seconds=5, **settings)
    return RestSource(connector, shared, Upstream())


@pytest.mark.parametrize(("auth", "accepts"), WAYS)
async def test_the_provider_lets_it_in(auth: Auth, accepts: Callable[[bytes], bool]) -> None:
    """The server checks the credentials, and the body arrives; a parameter of the connector travels along."""
    async with provider(checking(accepts)) as url, client() as shared:
        reading = await source(url, auth, shared, params={"a": "b c"}).poll(Checkpoint())
    assert reading is not None
    assert reading.body == b'{"price": "1.50"}'
    assert reading.params == {"a": "b c"}


@pytest.mark.parametrize(
    "auth",
    [
        ApiKeyAuth(value=Secret()),
        BearerAuth(token=Secret()),
        BasicAuth(username=Secret("u"), password=Secret()),
        BasicAuth(username=Secret(), password=Secret("p")),
        HmacAuth(key=Secret("k"), secret=Secret()),
        HmacAuth(key=Secret(), secret=Secret("s")),
        OAuth2Auth(token_url="http://127.0.0.1:9/t", client_id="id", client_secret=Secret()),
        OAuth2Auth(token_url="http://127.0.0.1:9/t", client_id="", client_secret=Secret("s")),
    ],
)
async def test_an_empty_value_sends_nothing(auth: Auth) -> None:
    """A variable that is not set means no credentials, whatever their type."""
    seen: list[bytes] = []

    def nothing(head: bytes) -> bool:
        seen.append(head)
        return not {"authorization", "x-api-key", "x-mbx-apikey"} & set(headers(head))

    async with provider(checking(nothing)) as url, client() as shared:
        assert await source(f"{url}/x", auth, shared).poll(Checkpoint()) is not None
    assert seen[0].startswith(b"GET /x HTTP/1.1")


def hidden(*texts: str) -> None:
    """No secret in any of the texts, however it is written."""
    for text in texts:
        assert "canary" not in text
        assert PAIR not in text


async def echo_page(stream: Any, head: bytes) -> None:
    await stream.send_all(response(b"<title>" + head[:3000] + b"</title>", status="403 No"))


async def echo_header(stream: Any, head: bytes) -> None:
    query = head.split(b" ")[1]
    key = head.partition(b"canary")[1] + head.partition(b"canary")[2].split(b"\r\n")[0]
    sent = [b"Location: http://other" + query, b"X-Echo: " + key]
    await stream.send_all(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n" + b"\r\n".join(sent) + b"\r\n\r\n")


async def echo_status_line(stream: Any, head: bytes) -> None:
    await stream.send_all(head[head.find(b"canary") :].split(b"\r\n")[0] + b" what\r\n\r\n")
    await stream.aclose()


async def echo_header_line(stream: Any, head: bytes) -> None:
    key = head[head.find(b"canary") :].split(b"\r\n")[0]
    await stream.send_all(b"HTTP/1.1 200 OK\r\nbad " + key + b"\r\n\r\n")
    await stream.aclose()


@pytest.mark.parametrize(("auth", "accepts"), WAYS[1:])
@pytest.mark.parametrize("echo", [None, echo_page, echo_header, echo_status_line, echo_header_line])
async def test_no_secret_is_shown(auth: Auth, accepts: Any, echo: Script | None, caplog: Any) -> None:
    """Not when a provider repeats it anywhere in its answer, nor when there is none to connect to."""
    caplog.set_level(logging.DEBUG)
    async with provider(echo or checking(lambda head: False)) as url, client() as shared:
        for target in (url, "http://127.0.0.1:9/x"):
            polled = source(target, auth, shared)
            with pytest.raises(PollFailed) as caught:
                await polled.poll(Checkpoint())
            hidden(str(caught.value), repr(caught.value), "".join(traceback.format_exception(caught.value)))
            hidden(repr(polled), repr(vars(polled)), repr(vars(polled._auth)))
    hidden(caplog.text)


@pytest.mark.parametrize("bad", ["canary-ü", "canary\nx", "canary\x00"])
@pytest.mark.parametrize("make", [lambda bad: BearerAuth(token=bad), lambda bad: HmacAuth(key=bad, secret=bad)])
async def test_what_cannot_be_sent_is_not_repeated(bad: str, make: Callable[[Secret], Auth]) -> None:
    """The sentence says that something cannot be sent, not what."""
    async with provider(checking(lambda head: True)) as url, client() as shared:
        with pytest.raises(PollFailed, match="cannot be sent") as caught:
            await source(url, make(Secret(bad)), shared).poll(Checkpoint())
    hidden(str(caught.value), "".join(traceback.format_exception(caught.value)))
