"""What is sent for each page of a list; real sockets."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import trio

from etl_actors.errors import LinkRefused
from etl_actors.messages import Checkpoint, Page
from etl_actors.settings import ApiKeyAuth, ConnectorSettings, Cursor, HmacAuth, Secret
from etl_actors.settings.service import Upstream
from etl_actors.sources.rest import RestSource

from .providers import client, provider, response
from .test_rest import recorder

KEY = "canary+/="


def connector(url: str, **settings: Any) -> ConnectorSettings:
    return ConnectorSettings(connector_id="one", url=url, **{"pagination": "link_header", **settings})


def target_of(head: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(head.split(" ")[1])
    return parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))


async def follow(first: str, link: str, **settings: Any) -> tuple[list[str], str | None, str]:
    """The heads of two requests, the second to where the first answer's ``Link`` leads; the link; the origin."""
    heads: list[str] = []
    answers = recorder(heads, response(b"[1]", f"Link: {link}"), response(b"[2]"))
    async with provider(answers) as url, client() as shared:
        source = RestSource(connector(url + first, **settings), shared, Upstream())
        reading = await source.poll(Checkpoint())
        assert reading is not None
        assert reading.next_link is not None
        await source.poll(Checkpoint(), Page(link=reading.next_link))
    return heads, reading.next_link, url


async def test_params_of_a_page_are_sent_beside_those_of_the_connector() -> None:
    """And arrive with the reading, for the mapping."""
    heads: list[str] = []
    async with provider(recorder(heads)) as url, client() as shared:
        source = RestSource(connector(f"{url}/list?a=1", params={"b": 2}), shared, Upstream())
        reading = await source.poll(Checkpoint(), Page(params={"page": "3", "since": "a b&c"}))
    assert target_of(heads[0]) == ("/list", {"a": "1", "b": "2", "page": "3", "since": "a b&c"})
    assert reading is not None
    assert reading.params == {"b": "2", "page": "3", "since": "a b&c"}


@pytest.mark.parametrize(
    ("link", "path", "query"),
    [
        ("<?page=2>", "/api/list", {"page": "2"}),
        ("<next?page=2>", "/api/next", {"page": "2"}),
        ("</other#part>", "/other", {}),
    ],
)
async def test_relative_link_is_followed(link: str, path: str, query: dict[str, str]) -> None:
    """From the url that was asked, and in place of the connector's own query."""
    heads, _, _ = await follow("/api/list?page=1", f'{link}; rel="next"', params={"x": "y"})
    assert target_of(heads[0])[1] == {"page": "1", "x": "y"}
    assert target_of(heads[1]) == (path, query)


async def test_absolute_link_of_the_same_origin_is_followed() -> None:
    """Scheme, host and port are the same, however they are written."""
    heads: list[str] = []
    async with provider(recorder(heads)) as url, client() as shared:
        source = RestSource(connector(f"{url}/list"), shared, Upstream())
        await source.poll(Checkpoint(), Page(link=url.replace("http", "HTTP") + "/list?page=2"))
    assert target_of(heads[0]) == ("/list", {"page": "2"})


@pytest.mark.parametrize(
    "link",
    [
        "https://127.0.0.1:PORT/list",
        "http://127.0.0.1:1/list",
        "http://127.0.0.1/list",
        "http://evil.test/list",
        "http://127.0.0.1:PORT@evil.test/list",
        "//evil.test/list",
        "javascript:alert(1)",
    ],
)
async def test_link_to_elsewhere_is_not_followed(link: str) -> None:
    """The page that named it is read; the next fails with a sentence, and nothing is sent anywhere."""

    async def script(stream: trio.SocketStream, head: bytes) -> None:
        heads.append(head.decode())
        named = link.replace("PORT", str(stream.socket.getsockname()[1]))
        await stream.send_all(response(b"[1]", f'Link: <{named}>; rel="next"'))

    heads: list[str] = []
    async with provider(script) as url, client() as shared:
        source = RestSource(connector(f"{url}/list"), shared, Upstream())
        reading = await source.poll(Checkpoint())
        assert reading is not None
        with pytest.raises(LinkRefused, match="credentials are not carried there"):
            await source.poll(Checkpoint(), Page(link=reading.next_link))
    assert len(heads) == 1


@pytest.mark.parametrize("link", ["http://[::1/", "http://x:port/", "/" + "x" * 9000])
async def test_link_that_is_no_url_fails_the_next_page_only(link: str) -> None:
    """The answer that named it is good."""
    heads: list[str] = []
    answers = recorder(heads, response(b"[1]", f'Link: <{link}>; rel="next"'))
    async with provider(answers) as url, client() as shared:
        source = RestSource(connector(f"{url}/list"), shared, Upstream())
        reading = await source.poll(Checkpoint())
        assert reading is not None
        with pytest.raises(LinkRefused, match="not one that can be asked for"):
            await source.poll(Checkpoint(), Page(link=reading.next_link))
    assert len(heads) == 1


async def test_credentials_travel_with_links_and_are_not_remembered_in_them() -> None:
    """A provider that repeats our query in its links: the key is taken out of what is kept, and sent all the same."""
    auth = ApiKeyAuth(value=Secret(KEY), param="k")
    heads, link, url = await follow(
        "/list?token=" + "canary2", '</list?k=canary%2B%2F%3D&token=canary2&pass=canary3&page=2>; rel="next"',
        auth=auth, params={"pass": "canary3", "x": 1},
    )  # fmt: skip
    assert link == f"{url}/list?page=2"
    assert target_of(heads[1])[1] == {"page": "2", "k": KEY, "token": "canary2", "pass": "canary3"}


async def test_user_of_the_url_travels_with_links_and_is_not_remembered_in_them() -> None:
    """Nor is one that the link brings accepted."""
    heads: list[str] = []
    answer = response(b"[1]", 'Link: <?page=2>; rel="next"')
    async with provider(recorder(heads, answer)) as url, client() as shared:
        source = RestSource(connector(url.replace("//", "//me:canary@") + "/list"), shared, Upstream())
        reading = await source.poll(Checkpoint())
        assert reading is not None
        assert reading.next_link == f"{url}/list?page=2"
        await source.poll(Checkpoint(), Page(link=reading.next_link.replace("//", "//evil:x@")))
    sent = [line for head in heads for line in head.lower().splitlines() if line.startswith("authorization")]
    assert sent == ["authorization: basic bwu6y2fuyxj5"] * 2


async def test_signature_is_made_anew_over_each_link() -> None:
    """A link that repeats the old one would otherwise carry two."""
    auth = HmacAuth(key=Secret("k"), secret=Secret("s"))
    heads, link, _ = await follow("/list", '</list?timestamp=1&signature=old&page=2>; rel="next"', auth=auth)
    assert link is not None
    assert "signature" not in link
    query = heads[1].split(" ")[1]
    assert query.count("signature=") == query.count("timestamp=") == 1
    assert "old" not in query


@pytest.mark.parametrize(
    "settings", [{"pagination": "page"}, {"pagination": None, "cursor": Cursor(param="s", from_="a")}]
)
async def test_no_validators_are_sent_where_urls_change(settings: dict[str, Any]) -> None:
    """A 304 would speak of another page, or of what came after another cursor."""
    heads: list[str] = []
    async with provider(recorder(heads)) as url, client() as shared:
        one = connector(url, store="changed", **settings)
        known = Checkpoint(fingerprint=one.fingerprint(), etag='"e"', last_modified="m")
        await RestSource(one, shared, Upstream()).poll(known)
    assert "if-none-match" not in heads[0].lower()
    assert "if-modified-since" not in heads[0].lower()
