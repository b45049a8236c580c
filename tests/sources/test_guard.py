"""The guarded client: which address is dialled, whatever a name says and however often it changes its mind."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from trio.testing import MockClock

from etl_actors.errors import PollFailed, TargetRefused
from etl_actors.messages import Checkpoint
from etl_actors.settings import ConnectorSettings, OAuth2Auth, Secret
from etl_actors.settings.service import Upstream
from etl_actors.sources.dialling import dial
from etl_actors.sources.exchange import Answer, fetch, open_guarded_client
from etl_actors.sources.guard import AddressGuard, resolve_name
from etl_actors.sources.rest import RestSource

from .providers import provider, response, saying

LOOPBACK = {"127.0.0.1"}.__contains__


class Names:
    """A resolver that gives its answers in turn, the last one for ever, and remembers what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


async def ask(url: str, guard: AddressGuard, **options: Any) -> Answer:
    async with open_guarded_client(Upstream(), "1.2.3", guard=guard) as client:
        return await fetch(
            client, client.build_request("GET", url), **{"deadline_seconds": 5, "max_bytes": 1_000_000, **options}
        )


def counting(asked: list[bytes], answer: bytes):
    async def script(stream: trio.SocketStream, head: bytes) -> None:
        asked.append(head)
        await stream.send_all(answer)

    return script


async def test_allowed_address_is_reached_with_the_name_it_was_asked_by() -> None:
    """The guard stands below HTTP: host, path and body are as ever."""
    asked: list[bytes] = []
    async with provider(counting(asked, response(b"[1]"))) as url:
        port = url.rsplit(":", 1)[1]
        names = Names(["127.0.0.1"])
        answer = await ask(f"http://provider.test:{port}/a?b=c", AddressGuard(resolve=names, allowed=LOOPBACK))
    assert (answer.status, answer.body, names.asked) == (200, b"[1]", ["provider.test"])
    assert asked[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert f"host: provider.test:{port}".encode() in asked[0].lower()


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["::1"],
        ["fe80::1%2"],
        ["::ffff:127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["2606:4700:4700::1111", "8.8.8.8", "fd00::1"],
    ],
)
async def test_name_that_leads_inside_is_refused_before_anything_is_sent(addresses: list[str]) -> None:
    """One address of many is enough, and the caller does not learn which it is."""
    asked: list[bytes] = []
    async with provider(counting(asked, response(b"secret"))) as url:
        port = url.rsplit(":", 1)[1]
        with pytest.raises(TargetRefused, match=r"provider\.test leads to an address that is not public") as caught:
            await ask(f"http://provider.test:{port}/", AddressGuard(resolve=Names(addresses)))
    assert asked == []
    assert caught.value.refused
    assert not any(address in str(caught.value) for address in addresses)


async def test_name_that_turns_inside_after_the_check_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: what was checked is what is dialled, although the name leads to a listening port inside by then."""
    asked: list[bytes] = []
    dialled: list[str] = []
    open_tcp_stream = trio.open_tcp_stream

    async def watched(host: str, port: int, **options: Any) -> trio.SocketStream:
        dialled.append(host)
        return await open_tcp_stream(host, port, **options)

    monkeypatch.setattr(trio, "open_tcp_stream", watched)
    async with provider(counting(asked, response(b"secret"))) as url:
        port = url.rsplit(":", 1)[1]
        # 127.0.0.9 stands for the public address: allowed, and nobody listens there.
        names = Names(["127.0.0.9"], ["127.0.0.1"])
        guard = AddressGuard(resolve=names, allowed={"127.0.0.9"}.__contains__)
        with pytest.raises(PollFailed, match="connection refused"):
            await ask(f"http://provider.test:{port}/", guard)
        assert dialled == ["127.0.0.9"]
        assert names.asked == ["provider.test"]
        with pytest.raises(TargetRefused):
            await ask(f"http://provider.test:{port}/", guard)
    assert (dialled, asked) == (["127.0.0.9"], [])


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::1]", "user@127.1"])
async def test_literal_address_is_refused_without_asking_anybody(host: str) -> None:
    """The text of the url is enough."""
    names = Names(["8.8.8.8"])
    with pytest.raises(TargetRefused, match="reach public addresses only"):
        await ask(f"http://{host}:8080/", AddressGuard(resolve=names))
    assert names.asked == []


async def test_system_resolver_refuses_this_machine() -> None:
    """With the real resolver, a name of the system's own that leads to loopback."""
    assert "127.0.0.1" in await resolve_name("localhost", 80)
    with pytest.raises(TargetRefused):
        await AddressGuard().addresses("localhost", 80)


async def test_environment_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve and connect in our place."""
    asked: list[bytes] = []
    async with provider(counting(asked, response(b"by proxy"))) as proxy, provider(saying(response(b"direct"))) as url:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        assert (await ask(url, AddressGuard(allowed=LOOPBACK))).body == b"direct"
        with pytest.raises(TargetRefused):
            await ask("http://provider.test/", AddressGuard(resolve=Names(["10.0.0.1"])))
    assert asked == []


async def test_redirect_inside_is_not_followed() -> None:
    """A 3xx is an answer; each address is asked for anew, by a person."""
    asked: list[bytes] = []
    async with provider(counting(asked, response(b"secret"))) as inside:
        moved = response(b"", f"Location: {inside}/", status="302 Found")
        async with provider(saying(moved)) as url:
            answer = await ask(url, AddressGuard(allowed=LOOPBACK))
    assert (answer.status, asked) == (302, [])


async def test_token_endpoint_stands_behind_the_guard_too() -> None:
    """The client of a connector fetches its tokens as well."""
    auth = OAuth2Auth(token_url="http://tokens.test/token", client_id="id", client_secret=Secret("canary"))
    settings = ConnectorSettings(connector_id="one", url="http://provider.test/", auth=auth)
    names = Names(["10.0.0.1"])
    async with open_guarded_client(Upstream(), "1.2.3", guard=AddressGuard(resolve=names)) as client:
        with pytest.raises(PollFailed, match=r"no access token: tokens\.test leads to an address that is not public"):
            await RestSource(settings, client, Upstream()).poll(Checkpoint())
    assert names.asked == ["tokens.test"]


async def test_connection_that_was_checked_is_used_again() -> None:
    """A check is made for each connection, not for each request."""
    async with provider(saying(response(b"{}"))) as url:
        names = Names(["127.0.0.1"], ["10.0.0.1"])
        guard = AddressGuard(resolve=names, allowed=LOOPBACK)
        async with open_guarded_client(Upstream(), "1.2.3", guard=guard) as client:
            for _ in range(3):
                request = client.build_request("GET", url.replace("127.0.0.1", "provider.test"))
                assert (await fetch(client, request, deadline_seconds=5, max_bytes=100)).body == b"{}"
    assert names.asked == ["provider.test"]


async def test_unknown_name_and_dead_host_are_told_as_ever() -> None:
    """The sentences are those of the client without a guard."""

    async def nobody(host: str, port: int) -> Sequence[str]:
        raise trio.socket.gaierror(trio.socket.EAI_NONAME, "unknown")

    with pytest.raises(PollFailed, match=r"could not connect to provider\.test: its name cannot be resolved"):
        await ask("http://provider.test/", AddressGuard(resolve=nobody))
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    guard = AddressGuard(resolve=Names(["127.0.0.1", "127.0.0.2"]), allowed=lambda address: True)
    with pytest.raises(PollFailed, match=r"could not connect to provider\.test: connection refused"):
        await ask(f"http://provider.test:{port}/", guard)


async def test_slow_resolver_meets_the_deadline(autojump_clock: MockClock) -> None:
    """The deadline of the exchange covers the lookup."""

    async def asleep(host: str, port: int) -> Sequence[str]:
        await trio.sleep_forever()

    with pytest.raises(PollFailed, match=r"could not connect to provider\.test within 3 s"):
        await ask("http://provider.test/", AddressGuard(resolve=asleep), deadline_seconds=3)


@asynccontextmanager
async def tls_provider(authority: trustme.CA, *names: str) -> AsyncIterator[int]:
    """The port of a TLS server whose certificate is for ``names``."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)

    async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            received = b""
            while b"\r\n\r\n" not in received:
                received += await stream.receive_some() or b"\r\n\r\n"
            await stream.send_all(response(b"safe", "Connection: close"))
        except trio.BrokenResourceError:
            pass  # a client that does not believe us leaves
        finally:
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            partial(trio.serve_ssl_over_tcp, serve, 0, context, host="127.0.0.1", https_compatible=True)
        )
        yield listeners[0].transport_listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_tls_verifies_the_name_and_not_the_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A certificate for the name of the url is accepted; one for another name, or for the address dialled, is not."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    guard = AddressGuard(resolve=Names(["127.0.0.1"]), allowed=LOOPBACK)
    async with tls_provider(authority, "provider.test") as port:
        assert (await ask(f"https://provider.test:{port}/", guard)).body == b"safe"
        with pytest.raises(PollFailed, match=r"certificate of other\.test is not accepted"):
            await ask(f"https://other.test:{port}/", guard)
    async with tls_provider(authority, "127.0.0.1") as port:
        with pytest.raises(PollFailed, match=r"certificate of provider\.test is not accepted"):
            await ask(f"https://provider.test:{port}/", guard)


async def test_what_speaks_without_httpx_is_guarded_too() -> None:
    """A plain connection to a checked address; refused like any other."""
    async with provider(saying(response(b"plain"))) as url:
        port = int(url.rsplit(":", 1)[1])
        names = Names(["127.0.0.1"], ["10.0.0.1"])
        guard = AddressGuard(resolve=names, allowed=LOOPBACK)
        async with await guard.connect("provider.test", port) as stream:
            assert stream.socket.getpeername() == ("127.0.0.1", port)
        with pytest.raises(TargetRefused):
            await guard.connect("provider.test", port)
    guard = AddressGuard(resolve=Names(["127.0.0.1", "127.0.0.2"]), allowed=lambda address: True)
    with pytest.raises(OSError, match=r"no address of provider\.test answers"):
        await guard.connect("provider.test", port)


class Connection:
    """A stream that remembers being closed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.closed = False

    async def aclose(self) -> None:
        self.closed = True
        await trio.lowlevel.checkpoint()


async def test_silent_address_does_not_hold_up_the_next(autojump_clock: MockClock) -> None:
    """Each attempt has a quarter of a second for itself; the first to connect wins and the others are given up."""

    async def attempt(address: str) -> Connection:
        await trio.sleep({"silent": 1000, "broken": 0.1, "good": 0.5}[address])
        if address == "broken":
            raise OSError("broken")
        return Connection(address)

    began = trio.current_time()
    assert (await dial(["silent", "broken", "good"], attempt, (OSError,))).address == "good"
    assert trio.current_time() - began == pytest.approx(0.25 + 0.1 + 0.5)


async def test_of_two_connections_one_is_closed(autojump_clock: MockClock) -> None:
    """Two that arrive at the same moment."""
    made: list[Connection] = []

    async def attempt(address: str) -> Connection:
        await trio.sleep({"first": 1.25, "second": 1.0}[address])
        # Shielded, as a connect that is past the point of no return.
        made.append(Connection(address))
        return made[-1]

    won = await dial(["first", "second"], attempt, (OSError,))
    assert [one.address for one in made if not one.closed] == [won.address]
