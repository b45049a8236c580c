"""OAuth 2.0 with client credentials, against a token endpoint and a provider on real sockets."""

from __future__ import annotations

import json
import logging
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest
import trio

from etl_actors.errors import PollFailed
from etl_actors.messages import Checkpoint
from etl_actors.settings import ConnectorSettings, OAuth2Auth, Secret
from etl_actors.settings.service import Upstream
from etl_actors.sources.rest import RestSource

from .providers import client, provider, response

SECRET = "canary+/= secret"
BASIC = b64encode(b"the+id:canary%2B%2F%3D+secret")


class Bank:
    """Gives tokens that the provider beside it takes, each ``lasts`` seconds, and counts."""

    def __init__(self, lasts: Any = 3600, *, in_body: bool = False) -> None:
        self.lasts = lasts
        self.in_body = in_body
        self.given = 0
        self.polls = 0
        self.good: set[bytes] = set()
        self.forms: list[dict[str, list[str]]] = []
        self.answer: bytes | None = None

    async def __call__(self, stream: Any, head: bytes) -> None:
        if head.startswith(b"POST /token "):
            await trio.sleep(0.01)
            await stream.send_all(self.answer or self._token(head))
            return
        self.polls += 1
        bearer = head.partition(b"Bearer ")[2].split(b"\r\n")[0]
        good = response(b"{}") if bearer in self.good else response(head, status="401 Unauthorized")
        await stream.send_all(good)

    def _token(self, head: bytes) -> bytes:
        form = parse_qs(head.partition(b"\r\n\r\n")[2].decode())
        self.forms.append(form)
        known = form.get("client_secret") == [SECRET] if self.in_body else b"Basic " + BASIC + b"\r\n" in head
        if not known:
            return response(json.dumps({"error": "invalid_client", "x": SECRET}).encode(), status="401 Unauthorized")
        self.given += 1
        token = f"canary-token-{self.given}"
        self.good.add(token.encode())
        return response(json.dumps({"access_token": token, "token_type": "bearer", "expires_in": self.lasts}).encode())


@asynccontextmanager
async def polled(bank: Bank, **auth: Any) -> AsyncIterator[RestSource]:
    async with provider(bank) as url, client() as shared:
        settings = {"token_url": f"{url}/token", "client_id": "the id", "client_secret": Secret(SECRET)} | auth
        connector = ConnectorSettings(connector_id="one", url=f"{url}/x", auth=OAuth2Auth(**settings))
        yield RestSource(connector, shared, Upstream())


@pytest.mark.parametrize("in_body", [False, True])
async def test_one_token_serves_many_polls(in_body: bool) -> None:
    """Fetched once, with the scopes, however the endpoint wants the secret."""
    bank = Bank(in_body=in_body)
    async with polled(bank, scopes=("read", "prices")) as source:
        for _ in range(3):
            assert await source.poll(Checkpoint()) is not None
    assert (bank.given, bank.polls) == (1, 3)
    assert bank.forms[-1]["scope"] == ["read prices"]
    assert bank.forms[-1]["grant_type"] == ["client_credentials"]
    assert ("client_secret" in bank.forms[-1]) is in_body


@pytest.mark.parametrize("lasts", [1, "1", 1.0])
async def test_token_is_renewed_before_it_expires(lasts: Any) -> None:
    """A tenth of its life early, at most a minute; some endpoints write the number as text."""
    bank = Bank(lasts)
    async with polled(bank) as source:
        await source.poll(Checkpoint())
        await trio.sleep(0.5)
        await source.poll(Checkpoint())
        assert bank.given == 1
        await trio.sleep(0.45)
        await source.poll(Checkpoint())
    assert (bank.given, bank.polls) == (2, 3)


async def test_many_polls_at_once_fetch_one_token() -> None:
    """One waits for the other's."""
    bank = Bank(None)
    async with polled(bank) as source, trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(source.poll, Checkpoint())
    assert (bank.given, bank.polls) == (1, 8)


async def test_a_401_fetches_a_new_token_once() -> None:
    """A revoked token is replaced within the poll; a provider that goes on refusing is not asked a third time."""
    bank = Bank()
    async with polled(bank) as source:
        await source.poll(Checkpoint())
        bank.good.clear()
        assert await source.poll(Checkpoint()) is not None
        assert (bank.given, bank.polls) == (2, 3)
        bank.good = frozenset({b"x"})  # type: ignore[assignment]
        bank.answer = response(b'{"access_token": "canary-token-9"}')
        with pytest.raises(PollFailed, match=r"^HTTP 401") as caught:
            await source.poll(Checkpoint())
    assert bank.polls == 5
    assert caught.value.refused
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (response(b'{"error": "invalid_client"}', status="400 Bad"), "HTTP 400 (Bad Request): invalid_client"),
        (response(f"no: {SECRET}".encode(), status="500 Bad"), "HTTP 500 (Internal Server Error): no: ***"),
        (response(b"", "Retry-After: 7", status="429 Slow"), "asks to wait 7 s"),
        (response(b"access_token=canary-token-1"), "not the JSON"),
        (response(b'{"access_token": ["canary-token-1"]}'), "not the JSON"),
        (response(b'{"expires_in": "soon", "access_token": "canary-token"}'), "not the JSON"),
        (response(b'{"error": "bad", "error_description": "no canary+/= secret"}'), "none in the answer"),
        (response(b'{"access_token": "canary\\r\\nX: y"}'), "none in the answer"),
        (response(b'{"access_token": "canary", "token_type": "mac"}'), "other than Bearer"),
        (b"canary+/= secret\r\n\r\n", "not valid HTTP"),
    ],
)
async def test_trouble_of_the_endpoint_is_one_sentence(answer: bytes, said: str, caplog: Any) -> None:
    """What it says, without the secret; the provider is not asked at all."""
    caplog.set_level(logging.DEBUG)
    bank = Bank()
    bank.answer = answer
    async with polled(bank) as source:
        with pytest.raises(PollFailed, match=r"^no access token: ") as caught:
            await source.poll(Checkpoint())
        shown = repr(vars(source._auth))
    assert said in str(caught.value)
    assert bank.polls == 0
    assert caught.value.refused == ("HTTP 400" in said)
    assert caught.value.retry_after == (7 if "wait" in said else None)
    for text in (str(caught.value), "".join(traceback.format_exception(caught.value)), caplog.text, shown):
        assert "canary" not in text


async def test_no_endpoint_at_all() -> None:
    """Its host is named."""
    async with polled(Bank(), token_url="http://127.0.0.1:9/token?canary") as source:
        with pytest.raises(PollFailed, match=r"^no access token: could not connect to 127\.0\.0\.1") as caught:
            await source.poll(Checkpoint())
    assert "canary" not in "".join(traceback.format_exception(caught.value))


async def test_no_token_of_before_is_repeated() -> None:
    """A provider that gives back what it was sent earlier shows nothing, however many tokens that is."""
    heads: list[bytes] = []

    class Repeating(Bank):
        async def __call__(self, stream: Any, head: bytes) -> None:
            if head.startswith(b"POST"):
                await super().__call__(stream, head)
                return
            heads.append(head)
            status = "401 Unauthorized" if len(heads) % 2 else "200 OK"
            await stream.send_all(response(b"".join(heads), status=status))

    async with polled(Repeating()) as source:
        for _ in range(4):
            reading = await source.poll(Checkpoint())
            assert reading is not None
            assert b"canary" not in reading.body
    assert len({head.partition(b"Bearer ")[2].split()[0] for head in heads}) == 5
