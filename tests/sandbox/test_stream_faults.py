"""Streams end, fall silent and lie on request, and by the rules of their providers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock
from trio_websocket import CloseReason, ConnectionClosed

from etl_actors.sandbox import Sandbox

from .listening import COINBASE_FEED, STREAM, Listener, listening

TRADES = "/ws/btcusdt@trade"
UPGRADE = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


async def closed(socket: Listener, seconds: float = 10) -> int | None:
    """Read to the end; the code of the closing frame, or None without one."""
    with trio.fail_after(seconds):
        _, reason = await to_the_end(socket)
    return reason.code if reason else None


async def to_the_end(socket: Listener) -> tuple[list[Any], CloseReason | None]:
    """Every frame until the connection is closed, and why it was."""
    frames: list[Any] = []
    while True:
        try:
            frames.append(await socket.next())
        except ConnectionClosed as closed:
            return frames, closed.reason


async def test_lost_frames_leave_a_gap_and_are_counted(sandbox: Sandbox) -> None:
    """So many frames and no more; the journal tells how many were sent and lost."""
    async with listening(sandbox, STREAM, TRADES) as socket:
        ids = [(await socket.next())["t"]]
        sandbox.set_fault("/ws/*", "lose_frames", count=3)
        ids += [event["t"] for event in await socket.several(6)]
        (seen,) = sandbox.requests("/ws/btcusdt@trade")
    assert sorted(later - earlier for earlier, later in pairwise(ids)) == [1] * 5 + [4]
    assert (seen.status, seen.lost) == (101, 3)
    assert seen.sent >= 7


async def test_garbled_frames_are_no_json(sandbox: Sandbox) -> None:
    """Then the truth again."""
    sandbox.set_fault(TRADES, "garble_frames", count=1)
    async with listening(sandbox, STREAM, TRADES) as socket:
        with pytest.raises(ValueError, match="Expecting"):
            await socket.next()
        assert (await socket.next())["e"] == "trade"


async def test_a_silent_connection_stays_open(sandbox: Sandbox, mock_clock: MockClock) -> None:
    """Nothing comes, no ping and no reply either, until the fault is over."""
    mock_clock.rate = 1
    async with listening(sandbox, STREAM, TRADES) as socket:
        await socket.next()
        sandbox.set_fault(TRADES, "silence", seconds=30)
        await trio.sleep(0.3)
        with trio.move_on_after(0.2):
            while True:
                await socket.text()
        await socket.say({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        with trio.move_on_after(0.5) as quiet:
            await socket.text()
        assert quiet.cancelled_caught
        mock_clock.jump(30)
        assert (await socket.next())["e"] == "trade"


@pytest.mark.parametrize(
    ("kind", "details", "code"), [("hang_up", {}, 1006), ("close", {"code": 1012}, 1012), ("close", {}, 1001)]
)
async def test_a_connection_ends_at_once(sandbox: Sandbox, kind: str, details: dict[str, int], code: int) -> None:
    """By a reset (which clients call 1006) or by a closing frame; only so many connections."""
    async with listening(sandbox, STREAM, TRADES) as socket:
        await socket.next()
        sandbox.set_fault(TRADES, kind, count=1, **details)  # type: ignore[arg-type]
        assert await closed(socket) == code
    async with listening(sandbox, STREAM, TRADES) as socket:
        assert (await socket.next())["e"] == "trade"


async def test_a_shutdown_is_announced_and_comes(sandbox: Sandbox) -> None:
    """``serverShutdown`` under its own stream name, data until the end, then a closing frame."""
    async with listening(sandbox, STREAM, "/stream?streams=btcusdt@trade") as socket:
        await socket.next()
        sandbox.set_fault("/stream", "shutdown", count=1, after_seconds=0.5)
        frames, reason = await to_the_end(socket)
    (announced,) = (frame for frame in frames if frame["stream"] == "!serverShutdown")
    assert announced["data"]["e"] == "serverShutdown"
    assert frames[-1]["stream"] == "btcusdt@trade"
    assert reason is not None
    assert reason.code == 1001


async def test_a_refused_handshake_has_the_provider_s_status(sandbox: Sandbox, binance: httpx.AsyncClient) -> None:
    """The faults of requests befall the one that would open a stream, too; those of streams do not."""
    sandbox.set_fault(TRADES, "lose_frames")
    sandbox.set_fault("/ws/*", "429", retry_after=7, count=1)
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    refused = await binance.get(TRADES, headers=headers)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    assert [seen.status for seen in sandbox.requests()] == [429]


async def wait_for(condition: Callable[[], bool]) -> None:
    """Until something is so."""
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110  # nobody sets an event when a journal is written
            await trio.sleep(0.01)


async def test_a_connection_has_an_age(sandbox: Sandbox) -> None:
    """Twenty-four hours, or what the switch says."""
    sandbox.switches.stream_age_seconds = 0.5
    async with listening(sandbox, STREAM, TRADES) as socket:
        assert await closed(socket) == 1001


async def test_binance_cuts_off_who_says_too_much(sandbox: Sandbox) -> None:
    """The sixth message within a second, whatever it says."""
    async with listening(sandbox, STREAM, "/ws") as socket:
        for number in range(6):
            await socket.say({"method": "LIST_SUBSCRIPTIONS", "id": number})
        assert await closed(socket) == 1008
    assert len(sandbox.requests("/ws")[0].heard) == 6


async def test_binance_pings_and_leaves_when_nobody_answers(sandbox: Sandbox) -> None:
    """A client that answers stays; one that has stopped reading is left."""
    sandbox.switches.ping_seconds, sandbox.switches.pong_seconds = 0.2, 1.5
    async with listening(sandbox, STREAM, TRADES) as socket:
        with trio.move_on_after(2.2):
            while True:
                await socket.text()
        assert (await socket.next())["e"] == "trade"
    port = int(sandbox.origins[STREAM].rpartition(":")[2])
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(f"GET {TRADES} HTTP/1.1\r\n{UPGRADE}{KEY}\r\n".encode())
        await wait_for(lambda: len(sandbox.requests(TRADES)) == 2 and sandbox.requests(TRADES)[1].ended is not None)
    assert sandbox.requests(TRADES)[1].ended == "closed: 1008 no pong"


async def test_coinbase_wants_a_word_within_five_seconds(sandbox: Sandbox, mock_clock: MockClock) -> None:
    """Who subscribes nothing is sent away."""
    mock_clock.rate = 1
    async with listening(sandbox, COINBASE_FEED) as socket:
        mock_clock.jump(5.1)
        assert await closed(socket) == 1008


async def test_a_client_that_breaks_the_protocol_harms_nobody(sandbox: Sandbox, binance: httpx.AsyncClient) -> None:
    """An upgrade without a key, and bytes that are no frames."""
    port = int(sandbox.origins[STREAM].rpartition(":")[2])
    for rest in (UPGRADE + "\r\n", UPGRADE + KEY + "\r\n\xff\xff\xff\xff\xff\xff"):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(f"GET {TRADES} HTTP/1.1\r\n{rest}".encode("latin-1"))
            with trio.fail_after(5):
                while await stream.receive_some():
                    pass
    assert (await binance.get("/api/v3/ticker/price")).status_code == 200


async def test_faults_of_streams_are_set_over_http(sandbox: Sandbox, binance: httpx.AsyncClient) -> None:
    """Like any other."""
    fault = {"path": "/stream", "kind": "close", "code": 1013, "provider": "coinbase"}
    assert (await binance.put("/sandbox/faults", json=fault)).status_code == 200
    assert sandbox.faults()[0].fault.code == 1013
    assert (await binance.put("/sandbox/faults", json=fault | {"code": 7})).status_code == 422
