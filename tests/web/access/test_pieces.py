"""The pure pieces of access: buckets, hosts, forwarded headers, shown keys and session tokens."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from etl_actors.keys import Caller, digest_of, new_key
from etl_actors.web.access.forwarding import Forwarding, NotForwarded
from etl_actors.web.access.hosts import KnownHosts
from etl_actors.web.access.presented import NotPresented, answered_subprotocol, presented_key
from etl_actors.web.access.rates import MOST_BUCKETS, TokenBuckets
from etl_actors.web.access.sessions import MOST_LOGOUTS, SESSION_SECONDS, Sessions

KEY = new_key()
DIGEST = digest_of(KEY)
CALLER = Caller(scope="write", key_id=7, name="seven")


def test_a_bucket_empties_and_fills_evenly() -> None:
    """Sixty a minute: sixty at once, then one a second, and never more than sixty."""
    buckets = TokenBuckets(60)
    assert [buckets.take("a", 0.0) for _ in range(60)] == [0.0] * 60
    assert buckets.take("a", 0.0) == 1.0
    assert buckets.wait("a", 0.25) == 0.75
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 1.0) == 0.0
    assert buckets.take("a", 1.0) == 1.0
    assert sum(buckets.take("a", 10_000.0) == 0 for _ in range(100)) == 60


def test_buckets_are_bounded() -> None:
    """However many names there are; the one used longest ago is forgotten."""
    buckets = TokenBuckets(1)
    for number in range(MOST_BUCKETS + 5):
        buckets.take(str(number), 0.0)
    assert len(buckets) == MOST_BUCKETS
    assert buckets.take("0", 0.0) == 0.0
    assert buckets.take(str(MOST_BUCKETS), 0.0) > 0


@pytest.mark.parametrize(
    ("listened", "host", "known"),
    [
        ("127.0.0.1", "localhost:8000", True),
        ("127.0.0.1", "10.0.0.5", False),
        ("10.0.0.5", "10.0.0.5:80", True),
        ("::1", "[::1]", True),
        ("0.0.0.0", "192.168.1.7:8000", True),
        ("0.0.0.0", "printer.local", False),
        ("etl.internal", "ETL.internal.:80", True),
        ("127.0.0.1", "friend.example:443", True),
        ("127.0.0.1", "", True),
        ("127.0.0.1", "localhost:99999", False),
        ("127.0.0.1", "localhost/evil", False),
        ("127.0.0.1", "x@localhost", False),
    ],
)
def test_a_host_is_known_or_not(listened: str, host: str, known: bool) -> None:
    """This machine, where it listens, and friends; an address where it listens everywhere."""
    assert KnownHosts(listened, ["https://friend.example", "*"]).knows(host) is known


def forwarded(peer: str, *headers: tuple[str, str], kind: str = "http") -> dict[str, Any]:
    """The scope after a proxy network of 10.0.0.0/8 was honoured."""
    scope: dict[str, Any] = {
        "type": kind,
        "client": (peer, 1),
        "scheme": kind,
        "headers": [(b"host", b"inside"), *((name.encode(), value.encode()) for name, value in headers)],
    }
    Forwarding(["10.0.0.0/8", "fd00::/8"]).honour(scope)
    return scope


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ([("X-Forwarded-For", "203.0.113.9")], "203.0.113.9"),
        ([("X-Forwarded-For", "1.1.1.1, 203.0.113.9, 10.0.0.3")], "203.0.113.9"),
        ([("X-Forwarded-For", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9:4711")], "203.0.113.9"),
        ([("X-Forwarded-For", "10.0.0.4, 10.0.0.3")], "10.0.0.4"),
        ([("X-Forwarded-For", "1.1.1.1, unknown")], "10.0.0.1"),
        ([("Forwarded", 'for="[2001:db8::1]:80";proto=https;host="a.example"')], "2001:db8::1"),
        ([("Forwarded", 'for=1.1.1.1;by="x,y", For=203.0.113.9')], "203.0.113.9"),
        ([("Forwarded", "for=_hidden")], "10.0.0.1"),
        ([("X-Forwarded-Proto", "https")], "10.0.0.1"),
        ([("X-Forwarded-For", "::ffff:203.0.113.9")], "203.0.113.9"),
        ([], "10.0.0.1"),
    ],
)
def test_the_client_is_the_nearest_address_that_is_no_proxy(headers: list[tuple[str, str]], client: str) -> None:
    """What lies beyond it anybody may have written."""
    assert forwarded("10.0.0.1", *headers)["client"][0] == client
    assert forwarded("::ffff:10.0.0.1", *headers)["client"][0].removeprefix("::ffff:") == client


def test_scheme_and_host_are_what_the_proxy_says() -> None:
    """For requests and sockets, in both notations; the nearest proxy has the last word."""
    scope = forwarded("10.0.0.1", ("X-Forwarded-Proto", "http, https"), ("X-Forwarded-Host", "a.example:443"))
    assert (scope["scheme"], dict(scope["headers"])[b"host"]) == ("https", b"a.example:443")
    assert forwarded("10.0.0.1", ("Forwarded", "proto=https"), kind="websocket")["scheme"] == "wss"


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Forwarded-For", "nonsense")],
        [("X-Forwarded-Proto", "javascript")],
        [("X-Forwarded-Host", "a.example/path")],
        [("X-Forwarded-Host", "a\r\nb")],
        [("X-Forwarded-For", "1.1.1.1"), ("Forwarded", "for=1.1.1.1")],
        [("Forwarded", "for")],
        [("Forwarded", 'for="1.1.1.1')],
        [("X-Forwarded-For", ", ".join(["10.0.0.2"] * 51))],
    ],
)
def test_what_no_proxy_can_mean_is_refused(headers: list[tuple[str, str]]) -> None:
    """With a sentence."""
    with pytest.raises(NotForwarded):
        forwarded("10.0.0.1", *headers)


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_forwarded_header_breaks_the_reader(value: str) -> None:
    """It is honoured or refused."""
    for name in (b"forwarded", b"x-forwarded-for", b"x-forwarded-host"):
        scope = {"type": "http", "client": ("10.0.0.1", 1), "headers": [(name, value.encode("latin1"))]}
        with suppress(NotForwarded):
            Forwarding(["10.0.0.0/8"]).honour(scope)


@given(st.lists(st.text(max_size=20), max_size=4), st.lists(st.text(max_size=20), max_size=4))
def test_any_headers_are_a_key_or_a_refusal(authorization: list[str], subprotocols: list[str]) -> None:
    """Never anything else, and the answered subprotocol is one that was offered and no key."""
    try:
        shown = presented_key(authorization, [], subprotocols=subprotocols)
    except NotPresented:
        return
    answered = answered_subprotocol(subprotocols)
    assert answered is None or answered in subprotocols
    assert not (answered and shown and answered.endswith(shown))


def sessions(now: list[float], secret: bytes = b"s" * 32) -> Sessions:
    """Sessions that know the one caller."""
    return Sessions(secret, lambda key_id: (CALLER, DIGEST) if key_id == 7 else None, clock=lambda: now[0])


def test_a_session_lasts_its_time_and_no_longer() -> None:
    """A week, and across restarts, which keep the secret."""
    now = [1000.0]
    token = sessions(now).begin(CALLER)
    assert token is not None
    assert KEY not in token
    assert DIGEST.hex() not in token
    assert sessions(now).caller(token) == CALLER
    assert sessions(now, b"t" * 32).caller(token) is None
    now[0] += SESSION_SECONDS + 1
    assert sessions(now).caller(token) is None


def test_a_session_dies_with_its_key() -> None:
    """When the key is not known any more, or is another one by that id."""
    token = sessions([0.0]).begin(CALLER)
    assert token is not None
    gone = Sessions(b"s" * 32, lambda key_id: None, clock=lambda: 0.0)
    other = Sessions(b"s" * 32, lambda key_id: (CALLER, digest_of("another")), clock=lambda: 0.0)
    assert gone.caller(token) is None
    assert other.caller(token) is None
    assert gone.begin(CALLER) is None


def test_logouts_are_remembered_within_bounds() -> None:
    """Only of sessions that were open; each until its own end."""
    now = [0.0]
    here = sessions(now)
    first = here.begin(CALLER)
    assert first is not None
    here.end(first)
    here.end("nonsense")
    assert here.caller(first) is None
    for _ in range(MOST_LOGOUTS + 1):
        here.end(here.begin(CALLER) or "")
    assert len(here._over) == MOST_LOGOUTS


async def test_a_session_is_waited_for_until_it_is_over(autojump_clock: MockClock) -> None:
    """Its time comes, or it is logged out of; nothing is remembered of those who wait."""
    here = sessions([0.0])
    first, second = here.begin(CALLER), here.begin(CALLER)
    assert first is not None
    assert second is not None
    await here.wait_over(first)
    assert trio.current_time() >= SESSION_SECONDS
    async with trio.open_nursery() as nursery:
        nursery.start_soon(here.wait_over, second)
        nursery.start_soon(here.wait_over, second)
        await trio.testing.wait_all_tasks_blocked()
        here.end(second)
    with trio.move_on_after(1):
        await here.wait_over(first)
    assert not here._waiting


@given(st.text(max_size=120))
def test_no_text_breaks_the_reader_of_tokens(text: str) -> None:
    """It opens nothing."""
    assert sessions([0.0]).caller(text) is None
