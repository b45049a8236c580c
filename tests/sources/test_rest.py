"""A connector's request, and what each status means; real sockets."""

from __future__ import annotations

import logging
import traceback
from typing import Any

import pytest
from msgspec.structs import replace

from etl_actors.errors import PollFailed
from etl_actors.messages import Checkpoint
from etl_actors.settings import ApiKeyAuth, ConnectorSettings, Secret
from etl_actors.settings.service import Upstream
from etl_actors.sources.rest import RestSource

from .providers import client, provider, response, saying

KEY = "CG-canary+/=0123456789"


def connector(url: str, **settings: Any) -> ConnectorSettings:
    return ConnectorSettings(connector_id="one", url=url, **{"store": "changed", **settings})


async def poll(settings: ConnectorSettings, checkpoint: Checkpoint | None = None, **extra: Any):
    async with client() as shared:
        return await RestSource(settings, shared, Upstream(), **extra).poll(checkpoint or Checkpoint())


async def failure(status: str, body: bytes = b"", *headers: str, **settings: Any) -> PollFailed:
    async with provider(saying(response(body, *headers, status=status))) as url:
        with pytest.raises(PollFailed) as caught:
            await poll(connector(url, **settings))
    return caught.value


def recorder(heads: list[str], *answers: bytes):
    """A script that keeps the head of each request and gives the answers in turn."""
    waiting = list(answers)

    async def script(stream, head):
        heads.append(head.decode())
        await stream.send_all(waiting.pop(0) if waiting else response(b"{}"))

    return script


async def test_reading_carries_body_validators_and_params() -> None:
    """What the provider said about its answer arrives with it."""
    answer = response(b"[1]", 'ETag: W/"7"', "Last-Modified: Mon, 08 Dec 2025 16:00:00 GMT")
    async with provider(saying(answer)) as url:
        reading = await poll(connector(url, params={"limit": 5, "all": True}))
    assert reading is not None
    assert (reading.body, reading.etag) == (b"[1]", 'W/"7"')
    assert reading.last_modified == "Mon, 08 Dec 2025 16:00:00 GMT"
    assert reading.params == {"limit": "5", "all": "true"}


async def test_params_join_the_query_of_the_url() -> None:
    """A query in the url stays, params are added, symbols that are not ASCII are percent-encoded."""
    heads: list[str] = []
    async with provider(recorder(heads)) as url:
        await poll(connector(url + "/v3?type=MINI", params={"symbol": "币安人生USDT"}))
    assert heads[0].startswith("GET /v3?type=MINI&symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT HTTP/1.1")


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (ApiKeyAuth(value=Secret("k1"), header="X-MBX-APIKEY"), "x-mbx-apikey: k1"),
        (ApiKeyAuth(value=Secret("k1")), "x-api-key: k1"),
        (ApiKeyAuth(value=Secret("k1"), header="Authorization", prefix="Apikey "), "authorization: apikey k1"),
        (ApiKeyAuth(value=Secret("k1"), param="api_key"), "get /?a=1&api_key=k1 http"),
    ],
)
async def test_key_goes_where_it_is_told_to(auth: ApiKeyAuth, expected: str) -> None:
    """Header, default header, prefix, query parameter; and never into the reading's params."""
    heads: list[str] = []
    async with provider(recorder(heads)) as url:
        reading = await poll(connector(url + "/", params={"a": 1}, auth=auth))
    assert expected in heads[0].lower()
    assert reading is not None
    assert reading.params == {"a": "1"}


async def test_empty_key_sends_nothing() -> None:
    """A variable that is not set means no credentials, not empty ones."""
    heads: list[str] = []
    async with provider(recorder(heads, response(b"{}"), response(b"{}"))) as url:
        await poll(connector(url, auth=ApiKeyAuth(value=Secret(), header="X-MBX-APIKEY", prefix="Bearer ")))
        await poll(connector(url, auth=ApiKeyAuth(value=Secret(), param="api_key")))
    assert "x-mbx-apikey" not in heads[0].lower()
    assert "api_key" not in heads[1]


async def test_validators_are_sent_and_304_is_nothing_new() -> None:
    """ETag and Last-Modified of the checkpoint go out; 304 comes back as None."""
    heads: list[str] = []
    async with provider(recorder(heads, response(status="304 Not Modified"))) as url:
        settings = connector(url)
        checkpoint = Checkpoint(fingerprint=settings.fingerprint(), etag='"7"', last_modified="yesterday")
        assert await poll(settings, checkpoint) is None
    assert 'If-None-Match: "7"' in heads[0]
    assert "If-Modified-Since: yesterday" in heads[0]


async def test_validators_of_other_settings_are_not_sent() -> None:
    """A checkpoint made under another url, params or mapping no longer counts; nor does one when all is wanted."""
    heads: list[str] = []
    async with provider(recorder(heads, response(b"{}"), response(b"{}"))) as url:
        settings = connector(url)
        await poll(settings, Checkpoint(fingerprint=b"other", etag='"7"'))
        await poll(replace(settings, store="all"), Checkpoint(fingerprint=settings.fingerprint(), etag='"7"'))
    assert "If-None-Match" not in heads[0] + heads[1]


async def test_304_that_was_not_asked_for_is_a_failure() -> None:
    """Nothing was known that could be unmodified."""
    assert "304" in str(await failure("304 Not Modified"))


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        ("422 X", b'{"error":"Missing parameter vs_currency"}', "Missing parameter vs_currency"),
        (
            "429 X",
            b'{"status":{"error_code":429,"error_message":"You\'ve exceeded the Rate Limit."}}',
            "You've exceeded the Rate Limit.",
        ),
        (
            "401 X",
            b'{"error":{"status":{"error_code":10002,"error_message":"Missing key"}}}',
            "Missing key (code 10002)",
        ),
        ("429 X", b"Throttled", "Throttled"),
        (
            "403 X",
            b"<!DOCTYPE html><html><head><title>Access denied | api.coingecko.com &amp; more</title>",
            "Access denied | api.coingecko.com & more",
        ),
        ("400 X", b'{"code":-1121,"msg":"Invalid symbol."}', "Invalid symbol. (code -1121)"),
        (
            "451 X",
            b'{\n "code": 0,\n "msg": "Service unavailable from a restricted location"\n}',
            "restricted location",
        ),
        ("401 X", b'{"Err":{"message":"API key required"}}', "API key required"),
        ("500 X", b'{"Response":"Error","Message":"Path does not exist"}', "Path does not exist"),
        ("400 X", b'{"title":"Bad","detail":"limit is too large"}', "limit is too large"),
        ("500 X", b'{"errors":[{"message":"first"},{"message":"second"}]}', "first"),
    ],
)
async def test_providers_own_words_are_found(status: str, body: bytes, said: str) -> None:
    """Every recorded shape of error body gives the words a person would look for, behind the status."""
    sentence = str(await failure(status, body))
    assert sentence.startswith(f"HTTP {status[:3]} (")
    assert said in sentence


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe\x00\x01", b"<html><body>no title</body></html>", b"[" * 60_000, b"null", b"{}", b'{"a":1}']
)
async def test_bodies_that_say_nothing_leave_the_status(body: bytes) -> None:
    """Whatever comes, the sentence stays short, printable and on one line."""
    sentence = str(await failure("502 Bad Gateway", body))
    assert sentence.startswith("HTTP 502 (Bad Gateway)")
    assert sentence.isprintable()
    assert len(sentence) < 260


async def test_words_are_cut_and_cleaned() -> None:
    """Control characters, escape sequences and bidirectional overrides go; 200 characters stay."""
    sentence = str(await failure("500 X", "\x1b[31mred\x00\u202e\r\nnext ".encode() + b"x" * 1000))
    assert "[31mred next" in sentence
    assert sentence.isprintable()
    assert sentence.endswith("…")
    assert len(sentence) < 250


@pytest.mark.parametrize("status", [401, 403, 451])
async def test_refusals_are_marked(status: int) -> None:
    """The provider said no: asking again soon is pointless."""
    error = await failure(f"{status} No")
    assert (error.refused, error.banned, error.retry_after) == (True, False, None)


async def test_ban_is_marked_with_its_length() -> None:
    """418 blocks the address for as long as Retry-After says."""
    error = await failure("418 I'm a teapot", b'{"code":-1003,"msg":"IP banned"}', "Retry-After: 120")
    assert (error.banned, error.retry_after, error.refused) == (True, 120, False)
    assert "banned" in str(error)


async def test_429_with_and_without_retry_after() -> None:
    """Told: as told. Not told: as seldom as one who refuses."""
    told, untold = await failure("429 X", b"", "Retry-After: 5"), await failure("429 X")
    assert (told.retry_after, told.refused) == (5, False)
    assert (untold.retry_after, untold.refused) == (None, True)
    assert "asks to wait 5 s" in str(told)


async def test_retry_after_date_is_measured_from_the_providers_clock() -> None:
    """A provider whose clock is years off still means the same seconds."""
    headers = ("Date: Mon, 08 Dec 2003 16:00:00 GMT", "Retry-After: Mon, 08 Dec 2003 16:01:30 GMT")
    assert (await failure("503 X", b"", *headers)).retry_after == 90


async def test_redirect_says_where_to_and_hides_the_query() -> None:
    """Redirects are not followed; the sentence tells a person what to write instead."""
    error = await failure("301 X", b"", "Location: https://u:p@new.example/api/v4?api_key=canary")
    assert "this moved to https://new.example/api/v4; redirects are not followed" in str(error)
    assert "canary" not in str(error)


async def test_headers_of_every_answer_are_observed() -> None:
    """Quota headers come with failures too."""
    seen: list[str] = []
    async with provider(saying(response(b"", "X-MBX-USED-WEIGHT-1M: 5999", status="429 X"))) as url:
        with pytest.raises(PollFailed):
            await poll(connector(url), observe=lambda headers: seen.append(headers["x-mbx-used-weight-1m"]))
    assert seen == ["5999"]


@pytest.mark.parametrize("place", [{"param": "api_key"}, {"header": "X-Key"}])
@pytest.mark.parametrize("echo", [b"bad key %s", b'{"msg": "bad key %s"}', b"<title>%s</title>"])
async def test_key_is_in_no_message_and_no_log(place: dict[str, str], echo: bytes, caplog) -> None:
    """Not in the sentence even when the provider repeats it, and not in what the libraries log."""
    caplog.set_level(logging.DEBUG)
    auth = ApiKeyAuth(value=Secret(KEY), **place)
    error = await failure("401 X", echo % KEY.encode(), auth=auth)
    assert "***" in str(error)
    with pytest.raises(PollFailed) as refused:
        await poll(connector("http://127.0.0.1:9/x", auth=auth))
    quoted = "CG-canary%2B"
    for text in (str(error), str(refused.value), caplog.text):
        assert KEY not in text
        assert quoted not in text
    assert "HTTP Request" in caplog.text


@pytest.mark.parametrize("value", ["schlüssel-canary", "line\ncanary", "nul\x00canary"])
async def test_key_that_cannot_be_sent_is_not_repeated(value: str) -> None:
    """The sentence says that something cannot be sent, not what; its causes are not shown either."""
    async with provider(saying(response(b"{}"))) as url:
        with pytest.raises(PollFailed, match="cannot be sent") as caught:
            await poll(connector(url, auth=ApiKeyAuth(value=Secret(value))))
    assert "canary" not in str(caught.value)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


async def test_what_is_remembered_and_what_a_mapping_sees_hold_no_secret() -> None:
    """Not the validators, the next link or the params, wherever the credential stood: url, user, header or param."""
    repeated = "canary-1 canary-2 canary-3 canary-4 dXNlcm5hbWU6Y2FuYXJ5LTM="
    headers = [f'ETag: "{word}"' for word in repeated.split()[:1]] + ["Last-Modified: canary-2"]
    headers.append("Link: </next/canary-1?x=canary-4&y=canary-2>; rel=next")
    async with provider(saying(response(repeated.encode(), *headers))) as url:
        host = url.removeprefix("http://")
        reading = await poll(
            connector(
                f"http://username:canary-3@{host}/list?api_key=canary-4",
                headers={"X-Token": "canary-1"},
                params={"secret": "canary-2", "page": 7},
            )
        )
    assert reading is not None
    assert (reading.body, reading.etag, reading.last_modified) == (b"*** *** *** *** ***", None, None)
    assert reading.params == {"page": "7"}
    assert (reading.next_link or "").endswith("/next/***?x=***&y=***")
