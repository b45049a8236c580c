"""The guard around a request, against providers that misbehave in every phase; real sockets, real time."""

from __future__ import annotations

import gc
import ssl
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from etl_actors.errors import PollFailed
from etl_actors.sources.exchange import fetch
from etl_actors.sources.progress import Progress

from .providers import ask, client, provider, response, saying

HEAD_10 = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def silent(stream, head):
    await trio.sleep_forever()


async def test_whole_answer_is_handed_over_with_its_time() -> None:
    """Status, headers and body arrive, and the response time is that of the exchange."""

    async def script(stream, head):
        await trio.sleep(0.05)
        await stream.send_all(response(b"{}", 'ETag: "x"'))

    async with provider(script) as url:
        answer = await ask(url)
    assert (answer.status, answer.body, answer.headers["etag"]) == (200, b"{}", '"x"')
    assert 50 <= answer.response_time_ms < 1000
    assert answer.received_at.tzinfo is UTC


async def test_request_introduces_us_and_offers_only_what_we_inflate() -> None:
    """The User-Agent is ours, and Accept-Encoding is ours even when a connector asks for another."""
    seen: list[bytes] = []

    async def script(stream, head):
        seen.append(head.lower())
        await stream.send_all(response(b"{}"))

    async with provider(script) as url:
        await ask(url, headers={"Accept-Encoding": "br"})
    assert b"user-agent: etl-actors/1.2.3 (+https://github.com/etl-actors/etl-actors)" in seen[0]
    assert seen[0].count(b"accept-encoding") == 1
    assert b"accept-encoding: gzip, deflate" in seen[0]


async def test_no_answer_ends_at_the_deadline() -> None:
    """A provider that takes the request and stays silent costs the deadline and no more."""
    async with provider(silent) as url:
        began = trio.current_time()
        with pytest.raises(PollFailed, match=r"^no answer within 0\.3 s$"):
            await ask(url, deadline_seconds=0.3)
    assert trio.current_time() - began < 1


async def test_byte_every_300_ms_ends_at_the_deadline() -> None:
    """One deadline covers all bytes, so a trickle does not keep the exchange alive."""

    async def trickle(stream, head):
        await stream.send_all(HEAD_10)
        while True:
            await stream.send_all(b"x")
            await trio.sleep(0.3)

    async with provider(trickle) as url:
        with pytest.raises(PollFailed, match=r"^the answer was not complete within 0\.7 s: 3 of 10 bytes came$"):
            await ask(url, deadline_seconds=0.7)


async def test_trickled_headers_end_at_the_deadline() -> None:
    """A head that never ends is no answer."""

    async def trickle(stream, head):
        await stream.send_all(b"HTTP/1.1 200 OK\r\n")
        while True:
            await stream.send_all(b"X-A: b\r\n")
            await trio.sleep(0.1)

    async with provider(trickle) as url:
        with pytest.raises(PollFailed, match=r"^no answer within 0\.5 s$"):
            await ask(url, deadline_seconds=0.5)


async def test_tls_handshake_that_never_comes_ends_at_the_deadline() -> None:
    """A server that accepts and does not speak TLS back is named as such."""
    async with listening() as port:
        with pytest.raises(PollFailed, match=r"^127\.0\.0\.1 did not complete the TLS handshake within 0\.3 s$"):
            await ask(f"https://127.0.0.1:{port}", deadline_seconds=0.3)


async def test_connect_that_hangs_ends_at_the_deadline() -> None:
    """A listener whose backlog is full leaves the connect unanswered."""
    with trio.socket.socket() as full:
        await full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [trio.socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                with trio.move_on_after(0.05):
                    await filler.connect(("127.0.0.1", port))
            with pytest.raises(PollFailed, match=r"^could not connect to 127\.0\.0\.1 within 0\.3 s$"):
                await ask(f"http://127.0.0.1:{port}", deadline_seconds=0.3)
        finally:
            for filler in fillers:
                filler.close()


async def test_refused_connection_is_told_as_such() -> None:
    """Nobody listens: the system's reason is in the sentence."""
    with trio.socket.socket() as probe:
        await probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(PollFailed, match=r"^could not connect to 127\.0\.0\.1: connection refused$"):
        await ask(f"http://127.0.0.1:{port}")


async def test_unknown_name_is_told_as_such() -> None:
    """A host that does not exist."""
    with pytest.raises(PollFailed, match=r"^could not connect to nowhere\.invalid"):
        await ask("http://nowhere.invalid/")


async def test_untrusted_certificate_is_told_as_such(tmp_path) -> None:
    """A self-signed certificate is refused, and the sentence says why."""
    context = self_signed(tmp_path)

    async def serve(stream):
        secured = trio.SSLStream(stream, context, server_side=True)
        with pytest.raises(trio.BrokenResourceError):
            await secured.do_handshake()
        await stream.aclose()

    async with listening(serve) as port:
        with pytest.raises(PollFailed, match=r"^the TLS certificate of localhost is not accepted: self-signed"):
            await ask(f"https://localhost:{port}")


async def test_plain_text_where_tls_is_wanted_is_told_as_such() -> None:
    """https asked of a server that speaks http."""

    async def serve(stream):
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.aclose()

    async with listening(serve) as port:
        with pytest.raises(PollFailed, match=r"^no TLS connection with 127\.0\.0\.1: "):
            await ask(f"https://127.0.0.1:{port}")


async def test_cut_body_is_a_failure() -> None:
    """Fewer bytes than Content-Length promised are no answer."""

    async def cut(stream, head):
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1300000\r\n\r\n" + b"x" * 12_345)
        await stream.aclose()

    async with provider(cut) as url:
        with pytest.raises(PollFailed, match=r"^the answer broke off after 12,345 of 1,300,000 bytes$"):
            await ask(url, max_bytes=2_000_000)


async def test_cut_chunked_body_is_a_failure() -> None:
    """A chunked body without its last chunk is no answer."""

    async def cut(stream, head):
        await stream.send_all(CHUNKED + b"5\r\nhello\r\n")
        await stream.aclose()

    async with provider(cut) as url:
        with pytest.raises(PollFailed, match=r"^the answer broke off after 5 bytes$"):
            await ask(url)


async def test_closed_without_an_answer_is_told_as_such() -> None:
    """The connection ends where the answer should begin."""

    async def close(stream, head):
        await stream.aclose()

    async with provider(close) as url:
        with pytest.raises(PollFailed, match=r"^127\.0\.0\.1 closed the connection without an answer$"):
            await ask(url)


async def test_reset_is_told_as_such() -> None:
    """A connection reset in the body names the system's reason."""

    async def reset(stream, head):
        await stream.send_all(HEAD_10 + b"x")
        await trio.sleep(0.05)
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        await stream.aclose()

    async with provider(reset) as url:
        with pytest.raises(PollFailed, match=r"^the answer broke off after 1 of 10 bytes: connection reset by peer$"):
            await ask(url)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (CHUNKED + b"zz\r\nhello\r\n", r"^the answer is not valid HTTP: illegal chunk header"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", r"^the answer is not valid HTTP: "),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", r"headers are too long$"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 40_000 + b"\r\n", r"headers are too long$"),
        (response(b"x", "Content-Encoding: br"), r"^the answer is encoded as br, which was not asked for$"),
        (response(b"x", "Content-Encoding: canary"), r"^the answer is in an encoding, which was not asked for$"),
        (response(b"x", "Content-Encoding: gzip, gzip"), r"^the answer is encoded as gzip, gzip, which"),
        (response(b"plain text", "Content-Encoding: gzip"), r"^the compressed answer is damaged$"),
    ],
)
async def test_broken_http_is_one_sentence(sent, said) -> None:
    """Whatever is wrong with the bytes, it leaves as PollFailed with one sentence."""
    async with provider(saying(sent)) as url:
        with pytest.raises(PollFailed, match=said) as caught:
            await ask(url)
    assert len(str(caught.value)) < 250
    assert "\n" not in str(caught.value)


async def test_a_flood_before_the_answer_is_refused_at_its_bound() -> None:
    """A provider may say 1xx as often as it likes; each costs time."""

    async def flooding(stream: trio.SocketStream, head: bytes) -> None:
        while True:
            await stream.send_all(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 100)

    async with provider(flooding) as url:
        with pytest.raises(PollFailed, match="more than 200,000 bytes came before the answer"):
            await ask(url)


async def test_endless_body_is_refused_at_the_bound() -> None:
    """A body without an end is read up to the bound and no further."""

    async def endless(stream, head):
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send_all(b"x" * 65_536)

    async with provider(endless) as url:
        with pytest.raises(PollFailed, match=r"^the answer is larger than 1,000,000 bytes$"):
            await ask(url)


async def test_announced_size_over_the_bound_is_refused_before_it_comes() -> None:
    """Content-Length alone is reason enough."""
    async with provider(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n")) as url:
        with pytest.raises(PollFailed, match=r"^the answer is larger than 67,108,864 bytes$"):
            await ask(url, max_bytes=67_108_864, deadline_seconds=2)


async def test_error_page_keeps_its_status_although_its_body_never_ends() -> None:
    """The status of an error matters more than its page: a 403 stays a 403."""

    async def endless(stream, head):
        await stream.send_all(b"HTTP/1.1 403 Forbidden\r\n\r\n<title>No</title>")
        while True:
            await stream.send_all(b"x")
            await trio.sleep(0.05)

    async with provider(endless) as url:
        answer = await ask(url, deadline_seconds=0.3)
    assert answer.status == 403
    assert answer.body.startswith(b"<title>No</title>")


async def test_large_error_page_is_cut() -> None:
    """Of a megabyte of error page only the beginning is read."""
    async with provider(saying(response(b"x" * 900_000, status="500 Oops"))) as url:
        answer = await ask(url)
    assert (answer.status, len(answer.body) <= 65_536) == (500, True)


async def test_connection_is_used_again() -> None:
    """Keep-alive: two exchanges, one connection."""
    streams = set()

    async def script(stream, head):
        streams.add(stream)
        await stream.send_all(response(b"{}"))

    async with provider(script) as url, client() as shared:
        for _ in range(3):
            await fetch(shared, shared.build_request("GET", url), deadline_seconds=2, max_bytes=100)
    assert len(streams) == 1


async def test_connection_that_dies_as_we_use_it_is_replaced_once() -> None:
    """A provider that closes an idle connection just as we send is asked again on a new one."""
    seen: list[int] = []

    async def script(stream, head):
        seen.append(id(stream))
        if seen.count(id(stream)) == 2:
            await stream.aclose()
        else:
            await stream.send_all(response(b"{}"))

    async with provider(script) as url, client() as shared:
        for _ in range(2):
            answer = await fetch(shared, shared.build_request("GET", url), deadline_seconds=2, max_bytes=100)
    assert answer.body == b"{}"
    assert len(seen) == 3


async def test_cookies_are_not_kept() -> None:
    """Connectors share the client and not a session."""
    seen: list[bytes] = []

    async def script(stream, head):
        seen.append(head.lower())
        await stream.send_all(response(b"{}", "Set-Cookie: session=1"))

    async with provider(script) as url, client() as shared:
        for _ in range(2):
            await fetch(shared, shared.build_request("GET", url), deadline_seconds=2, max_bytes=100)
    assert b"cookie" not in seen[1]


async def test_cancellation_before_the_last_byte_ends_it_at_once() -> None:
    """What is not read whole is not waited for."""

    async def half(stream, head):
        await stream.send_all(HEAD_10 + b"x")
        await trio.sleep_forever()

    async with provider(half) as url:
        with trio.move_on_after(0.2) as scope:
            await ask(url, deadline_seconds=30)
    assert scope.cancelled_caught


async def test_cancellation_after_the_last_byte_loses_nothing(monkeypatch) -> None:
    """A stop that comes while a whole answer is being put away waits for it."""
    scope = trio.CancelScope()
    trace = Progress.trace

    async def cancelling(self, name, info):
        await trace(self, name, info)
        if name.endswith("receive_response_body.complete"):
            scope.cancel()

    monkeypatch.setattr(Progress, "trace", cancelling)
    answer = None
    async with provider(saying(response(b"x" * 5_000_000))) as url, client() as shared:
        with scope:
            request = shared.build_request("GET", url)
            answer = await fetch(shared, request, deadline_seconds=2, max_bytes=9_000_000)
    assert answer is not None
    assert len(answer.body) == 5_000_000


async def test_thousand_tiny_chunks_let_others_run() -> None:
    """A body in one-byte chunks arrives whole and does not hold the loop."""
    worst: list[float] = []
    script = saying(CHUNKED + b"1\r\nx\r\n" * 10_000 + b"0\r\n\r\n")
    async with provider(script) as url, trio.open_nursery() as nursery:
        nursery.start_soon(watch, worst)
        answer = await ask(url)
        nursery.cancel_scope.cancel()
    assert answer.body == b"x" * 10_000
    assert max(worst) < 0.2


async def test_nothing_is_left_to_the_garbage_collector() -> None:
    """An exchange that ends early leaves no half-read generator (which would be a warning, and here an error)."""

    async def endless(stream, head):
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send_all(b"x" * 65_536)

    async with provider(endless) as url:
        with pytest.raises(PollFailed):
            await ask(url, max_bytes=10)
    gc.collect()
    await trio.lowlevel.checkpoint()


async def watch(worst: list[float]) -> None:
    """How long the loop was held, again and again."""
    while True:
        before = time.perf_counter()
        await trio.lowlevel.checkpoint()
        worst.append(time.perf_counter() - before)


async def test_stalled_exchanges_do_not_hold_up_another() -> None:
    """A hundred providers that stay silent, one that answers: it answers at once."""

    async def script(stream, head):
        if b"/slow" in head:
            await trio.sleep_forever()
        await stream.send_all(response(b"{}"))

    async with provider(script) as url, client() as shared:

        async def stall() -> None:
            with pytest.raises(PollFailed):
                await fetch(shared, shared.build_request("GET", url + "/slow"), deadline_seconds=1, max_bytes=100)

        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(stall)
            await trio.sleep(0.1)
            with trio.fail_after(0.5):
                await fetch(shared, shared.build_request("GET", url + "/fast"), deadline_seconds=1, max_bytes=100)


@asynccontextmanager
async def listening(serve=None):
    """The port of a bare TCP server; one that only accepts when nothing is given."""

    async def accept_only(stream):
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve or accept_only, 0))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


def self_signed(folder) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
