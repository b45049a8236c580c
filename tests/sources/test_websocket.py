"""The source that is followed, against real WebSocket servers with every fault of an opening."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
import trio
import trustme

from etl_actors.errors import PollFailed, TargetRefused
from etl_actors.settings import ConnectorSettings
from etl_actors.settings.decoding import convert
from etl_actors.settings.service import Upstream
from etl_actors.sources.guard import AddressGuard
from etl_actors.sources.websocket import Socket, WebSocketSource
from etl_actors.sources.websocket_dial import Dialler

from .providers import provider, response
from .stream_server import Visit, quiet, refusing, saying, serving


def settings(url: str, **changes: Any) -> ConnectorSettings:
    document = {"connector_id": "one", "url": url, "kind": "websocket", "timeout_seconds": 5, **changes}
    mistakes: list[Any] = []
    made = convert(document, ConnectorSettings, "", mistakes)
    assert made is not None, mistakes
    return made


@asynccontextmanager
async def opened(
    url: str,
    *,
    dialler: Dialler | None = None,
    max_bytes: int = 1_000_000,
    **changes: Any,
) -> AsyncIterator[Socket]:
    """A socket to ``url``."""
    async with httpx.AsyncClient(headers={"User-Agent": "tests"}) as client:
        source = WebSocketSource(
            settings(url, **changes), client, dialler or Dialler(), Upstream(max_response_bytes=max_bytes)
        )
        async with source.open() as socket:
            yield socket


async def failing(url: str, **options: Any) -> PollFailed:
    """How opening ``url`` fails."""
    with pytest.raises(PollFailed) as refused:
        async with opened(url, **options):
            raise AssertionError("it opened")
    return refused.value


async def test_frames_come_as_they_were_sent() -> None:
    """Texts as UTF-8, binary frames byte for byte, in their order."""
    async with serving(saying("ä", b"\x00\xff", {"p": 1, "P": 2})) as server, opened(server.url + "/ws?a=1") as socket:
        assert [await socket.receive() for _ in range(3)] == ["ä".encode(), b"\x00\xff", b'{"p": 1, "P": 2}']
        assert server.visits[0].path == "/ws?a=1"
        assert server.visits[0].request._event.host == f"127.0.0.1:{server.port}"
        assert server.visits[0].headers["user-agent"] == "tests"


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ({"type": "api_key", "header": "X-Key", "value": "k1"}, ("x-key", "k1")),
        ({"type": "bearer", "token": "t"}, ("authorization", "Bearer t")),
        ({"type": "basic", "username": "u", "password": "p"}, ("authorization", "Basic dTpw")),
        ({"type": "hmac", "key": "k", "secret": "s"}, ("x-mbx-apikey", "k")),
    ],
)
async def test_the_handshake_carries_credentials(auth: dict[str, str], expected: tuple[str, str]) -> None:
    """Each kind of auth in its header."""
    async with serving(quiet) as server, opened(server.url, auth=auth):
        assert server.visits[0].headers[expected[0]] == expected[1]


async def test_parameters_and_signatures_are_in_the_query() -> None:
    """The connector's own, and those that auth adds."""
    auth = {"type": "hmac", "key": "k", "secret": "s"}
    async with serving(quiet) as server, opened(server.url + "/x?a=1", auth=auth, params={"b": "c d"}):
        path = server.visits[0].path
        assert path is not None
        assert path.startswith("/x?a=1&b=c%20d&timestamp=")
        assert "&signature=" in path


async def test_a_protocol_is_asked_for_by_its_header() -> None:
    """What the provider chose is accepted."""

    async def choosing(visit: Visit) -> None:
        assert visit.request.proposed_subprotocols == ("graphql-ws", "json")
        await visit.accept(subprotocol="json")
        await visit.say("chosen")

    async with (
        serving(choosing) as server,
        opened(server.url, headers={"Sec-WebSocket-Protocol": "graphql-ws, json"}) as socket,
    ):
        assert await socket.receive() == b"chosen"


async def test_a_refused_handshake_tells_status_words_and_wait() -> None:
    """As a poll that is refused, so that it is treated alike."""
    async with serving(refusing(429, b'{"code":-1003,"msg":"Too many connections."}', Retry_After="7")) as server:
        failure = await failing(server.url)
    assert str(failure) == "HTTP 429 (Too Many Requests): Too many connections. (code -1003); asks to wait 7 s"
    assert (failure.status, failure.retry_after) == (429, 7)


async def test_a_refusal_does_not_show_the_key() -> None:
    """A provider may repeat what it was sent."""
    async with serving(refusing(403, b"no access for abcdef123")) as server:
        failure = await failing(server.url, auth={"type": "api_key", "value": "abcdef123"})
    assert str(failure) == "HTTP 403 (Forbidden): no access for ***"
    assert failure.refused


async def test_a_frame_does_not_show_the_key() -> None:
    """Nor may it in what is stored and sent to everybody."""
    async with (
        serving(saying({"you": "abcdef123"})) as server,
        opened(server.url, auth={"type": "api_key", "value": "abcdef123"}) as socket,
    ):
        assert await socket.receive() == b'{"you": "***"}'


async def test_a_token_that_expired_is_replaced_once() -> None:
    """A 401 under oauth2 fetches another token, and opens with it."""
    tokens = iter(["old", "new"])

    async def bank(stream: Any, head: bytes) -> None:
        token = {"access_token": next(tokens), "token_type": "bearer", "expires_in": 3600}
        await stream.send_all(response(json.dumps(token).encode()))

    async with provider(bank) as address, serving(refusing(401), saying("in")) as server:
        auth = {"type": "oauth2", "token_url": address, "client_id": "c", "client_secret": "s"}
        async with opened(server.url, auth=auth) as socket:
            assert await socket.receive() == b"in"
        assert [visit.headers["authorization"] for visit in server.visits] == ["Bearer old", "Bearer new"]


async def test_an_answer_that_is_no_websocket_is_told() -> None:
    """Pages, nonsense, silence, and nothing at all."""
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n<title>Hello there</title> "
    cases = {
        page: "HTTP 200 in place of a WebSocket: Hello there",
        b"SSH-2.0-OpenSSH\r\n": "what 127.0.0.1 answered is not the handshake of a WebSocket",
        b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n": (
            "what 127.0.0.1 answered is not the handshake of a WebSocket"
        ),
        b"HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\n": "HTTP 503 (Service Unavailable)",
        b"": "127.0.0.1 closed the connection without an answer",
    }
    for said, expected in cases.items():
        async with answering(said) as port:
            assert str(await failing(f"ws://127.0.0.1:{port}")) == expected, said
    async with answering(None) as port:
        assert str(await failing(f"ws://127.0.0.1:{port}", timeout_seconds=0.2)) == "no answer within 0.2 s"
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2_000_000) as port:
        assert str(await failing(f"ws://127.0.0.1:{port}", max_bytes=1000)).startswith("HTTP 200 in place")


@asynccontextmanager
async def answering(said: bytes | None) -> AsyncIterator[int]:
    """A port that answers these bytes and closes; None says nothing."""

    async def handle(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        if said is None:
            await trio.sleep_forever()
        with suppress(trio.BrokenResourceError):
            await stream.send_all(said or b"")
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_nobody_there() -> None:
    """A refused connection and a name that does not exist."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    assert str(await failing(f"ws://127.0.0.1:{port}")) == "could not connect to 127.0.0.1: connection refused"


async def test_tls_is_verified() -> None:
    """A certificate of an unknown authority is not accepted; one that is trusted for the name is."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with serving(saying("safe"), tls=context) as server:
        assert str(await failing(server.url)).startswith("the TLS certificate of localhost is not accepted: ")
        async with opened(server.url, dialler=Dialler(tls=trusting)) as socket:
            assert await socket.receive() == b"safe"


async def test_the_guard_lets_nobody_inside() -> None:
    """What a REST caller names is not reached on loopback, by address or by a name that leads there."""

    async def inside(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with serving(quiet) as server:
        guarded = Dialler(AddressGuard(resolve=inside))
        assert isinstance(await failing(server.url, dialler=guarded), TargetRefused)
        named = f"ws://stream.example.org:{server.port}"
        assert "leads to an address that is not public" in str(await failing(named, dialler=guarded))
        async with opened(named, dialler=Dialler(AddressGuard(resolve=inside, allowed=lambda address: True))):
            assert len(server.visits) == 1


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (lambda visit: visit.connection.aclose(1008, "bad\nstream"), "1008 (policy violation): bad stream"),
        (lambda visit: visit.connection.aclose(4001, None), "4001 (private reserved)"),
        (lambda visit: visit.drop(), "the connection broke off"),
        (
            lambda visit: visit.connection._stream.send_all(b"\xff\xff\xff\xff"),
            "what the provider sends is no valid WebSocket: ",
        ),
        (lambda visit: visit.connection._stream.send_all(b"\x81\x02\xff\xfe"), "a frame holds text that is not UTF-8"),
        (
            lambda visit: visit.connection.aclose(1002, "you first"),
            "the provider closed the connection: 1002 (protocol error): you first",
        ),
    ],
)
async def test_the_end_of_a_socket_is_told(end: Callable[[Visit], Any], expected: str) -> None:
    """After every frame that was sent before it."""

    async def ending(visit: Visit) -> None:
        await visit.accept()
        await visit.say("one", "two", "three")
        await end(visit)
        await trio.sleep_forever()

    async with serving(ending) as server, opened(server.url) as socket:
        assert [await socket.receive() for _ in range(3)] == [b"one", b"two", b"three"]
        with pytest.raises(PollFailed) as ended:
            await socket.receive()
        assert expected in str(ended.value)


@pytest.mark.parametrize("frame", ["x" * 2000, "ä" * 600, b"x" * 2000], ids=["text", "wide", "binary"])
async def test_a_frame_that_is_too_large_ends_the_socket(frame: str | bytes) -> None:
    """It is measured in bytes, whatever it is made of."""
    async with serving(saying("x" * 1000, frame)) as server, opened(server.url, max_bytes=1000) as socket:
        assert len(await socket.receive()) == 1000
        with pytest.raises(PollFailed, match=r"a frame is larger than 1,000 bytes \(\[upstream\] max_response_bytes\)"):
            await socket.receive()


async def test_empty_fragments_do_not_go_on_for_ever() -> None:
    """A message that never ends is bounded by what came over the wire."""

    async def fragmenting(visit: Visit) -> None:
        await visit.accept()
        await visit.connection._stream.send_all(b"\x01\x00")
        while True:
            await visit.connection._stream.send_all(b"\x00\x00" * 10_000)

    async def script(visit: Visit) -> None:
        with suppress(trio.BrokenResourceError):
            await fragmenting(visit)

    async with serving(script) as server, opened(server.url, max_bytes=1000) as socket:
        with pytest.raises(PollFailed, match="a frame comes in more than 10,000 fragments"):
            await socket.receive()


async def test_pings_are_answered_and_what_followed_them_is_read() -> None:
    """A provider that pings, sends and closes at once loses nothing of what it sent."""
    ponged = trio.Event()

    async def pinging(visit: Visit) -> None:
        await visit.accept()
        await visit.connection.ping(b"alive?")
        ponged.set()
        await visit.say("after")

    async with serving(pinging) as server, opened(server.url) as socket:
        assert await socket.receive() == b"after"
        assert ponged.is_set()


async def test_a_socket_that_is_not_read_holds_the_provider_back() -> None:
    """Nothing is gathered here for whoever does not take it."""
    sent = 0

    async def flooding(visit: Visit) -> None:
        nonlocal sent
        await visit.accept()
        while True:
            await visit.say(b"x" * 100_000)
            sent += 1

    async with serving(flooding) as server, opened(server.url) as socket:
        before = -1
        while sent != before:
            before = sent
            await trio.sleep(0.3)
        assert sent * 100_000 < 20_000_000  # what the kernel's buffers hold, and a few frames
        await socket.receive()


async def test_closing_says_goodbye() -> None:
    """The provider learns that we went on purpose."""
    async with serving(quiet) as server:
        async with opened(server.url):
            pass
        await server.visits[0].ended.wait()
        closed = server.visits[0].connection.closed
        assert closed is not None
        assert closed.code == 1000
