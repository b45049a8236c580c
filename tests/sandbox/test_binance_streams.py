"""Binance's streams have the provider's shapes, and tell of the same market as its REST side."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import httpx
import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from etl_actors.sandbox import Sandbox

from .listening import STREAM, listening


@pytest.fixture
def hasty_clock() -> MockClock:
    """A second of the exchange takes a tenth of one."""
    return MockClock(rate=10)


async def test_events_come_raw_at_one_address_and_wrapped_at_the_other(sandbox: Sandbox) -> None:
    """``/ws/<stream>`` and ``/stream?streams=``: the same event, with and without the name of its stream."""
    async with (
        listening(sandbox, STREAM, "/ws/btcusdt@trade") as raw,
        listening(sandbox, STREAM, "/stream?streams=btcusdt@trade/ethusdt@trade") as combined,
    ):
        event = await raw.next()
        assert list(event) == ["e", "E", "s", "t", "p", "q", "T", "m", "M"]
        assert (event["e"], event["s"]) == ("trade", "BTCUSDT")
        assert isinstance(event["p"], str)
        assert isinstance(event["m"], bool)
        wrapped = await combined.several(4)
    assert {frame["stream"] for frame in wrapped} == {"btcusdt@trade", "ethusdt@trade"}
    assert all(frame["data"]["s"].lower() == frame["stream"].partition("@")[0] for frame in wrapped)


async def test_trades_carry_on_the_ids_of_the_ticker_without_a_hole(
    sandbox: Sandbox, binance: httpx.AsyncClient, hasty_clock: MockClock
) -> None:
    """Each id once, and the last one is the one that the REST row of that moment names."""
    async with listening(sandbox, STREAM, "/ws/btcusdt@trade") as trades:
        events = await trades.several(30)
        row = (await binance.get("/api/v3/ticker/24hr?symbol=BTCUSDT")).json()
        ids = [event["t"] for event in events]
        while ids[-1] < row["lastId"]:
            ids.append((await trades.next())["t"])
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert row["firstId"] < ids[0]


async def test_the_array_of_mini_tickers_is_what_changed_in_the_last_second(
    sandbox: Sandbox, binance: httpx.AsyncClient, hasty_clock: MockClock
) -> None:
    """One frame a second whose top level is a list; its numbers are those of the REST row."""
    async with listening(sandbox, STREAM, "/ws/!miniTicker@arr") as tickers:
        first, second = await tickers.several(2)
        (seen,) = (event for event in second if event["s"] == "BTCUSDT")
        row = (await binance.get("/api/v3/ticker/24hr?symbol=BTCUSDT&type=MINI")).json()
    assert list(seen) == ["e", "E", "s", "c", "o", "h", "l", "v", "q"]
    assert 0 < len(first) <= len(sandbox.market.pairs)
    assert "LUNAEUR" not in {event["s"] for event in first + second}  # nobody trades it any more
    assert {event["E"] for event in second} == {first[0]["E"] + 1000}
    assert abs(Decimal(seen["c"]) / Decimal(row["lastPrice"]) - 1) < Decimal("0.01")
    assert seen["o"][:4] == row["openPrice"][:4]


async def let_pass(clock: MockClock, ticks: int) -> None:
    """Let the exchange live through so many tenths of a second, one by one, and then stand still."""
    for _ in range(ticks):
        clock.jump(0.1)
        await wait_all_tasks_blocked(0.002)


def applied(book: dict[str, dict[str, str]], event: Any) -> None:
    """Binance's rule: a quantity of zero removes the level."""
    for side, changes in (("bids", event["b"]), ("asks", event["a"])):
        for price, quantity in changes:
            if Decimal(quantity):
                book[side][price] = quantity
            else:
                book[side].pop(price, None)


@pytest.mark.parametrize(
    ("symbol", "speed"), [("BTCUSDT", "@100ms"), ("BTCUSDT", ""), ("ETHBTC", ""), ("1INCHUSDT", "@100ms")]
)
async def test_updates_lead_from_one_snapshot_exactly_to_the_next(
    sandbox: Sandbox, binance: httpx.AsyncClient, mock_clock: MockClock, symbol: str, speed: str
) -> None:
    """The local book kept by Binance's published rule equals a later snapshot, level for level."""

    async def snapshot() -> Any:
        return (await binance.get(f"/api/v3/depth?symbol={symbol}&limit=5000")).json()

    async with listening(sandbox, STREAM, f"/stream?streams={symbol.lower()}@depth{speed}") as books:
        await let_pass(mock_clock, 15)  # into the middle of a second, and of an update of the slower stream
        start = await snapshot()
        await let_pass(mock_clock, 85)
        end = await snapshot()
        events = [(await books.next())["data"]]
        while events[-1]["u"] < end["lastUpdateId"]:
            events.append((await books.next())["data"])
    assert events[-1]["u"] == end["lastUpdateId"] > start["lastUpdateId"]
    assert all(later["U"] == earlier["u"] + 1 for earlier, later in pairwise(events))
    kept = [event for event in events if event["u"] > start["lastUpdateId"]]
    assert kept[0]["U"] <= start["lastUpdateId"] + 1 <= kept[0]["u"]
    book = {side: dict(start[side]) for side in ("bids", "asks")}
    for event in kept:
        applied(book, event)
    for side, newest_first in (("bids", True), ("asks", False)):
        levels = sorted(book[side].items(), key=lambda level: Decimal(level[0]), reverse=newest_first)
        assert [list(level) for level in levels[:1000]] == end[side][:1000]


async def test_books_and_quotes_without_a_type_or_a_time(sandbox: Sandbox) -> None:
    """``bookTicker`` and the partial depth have neither ``e`` nor a time; the stream's name is the only clue."""
    names = "/stream?streams=btcusdt@bookTicker/btcusdt@depth5@100ms"
    async with listening(sandbox, STREAM, names) as books:
        frames = {frame["stream"]: frame["data"] for frame in await books.several(2)}
    best, depth = frames["btcusdt@bookTicker"], frames["btcusdt@depth5@100ms"]
    assert list(best) == ["u", "s", "b", "B", "a", "A"]
    assert list(depth) == ["lastUpdateId", "bids", "asks"]
    assert len(depth["bids"]) == len(depth["asks"]) == 5
    assert (best["u"], [best["b"], best["B"]]) == (depth["lastUpdateId"], depth["bids"][0])


async def test_control_messages_are_acknowledged_unwrapped(sandbox: Sandbox) -> None:
    """Subscribe, list, property, unsubscribe, each with its id; an unknown stream is taken and stays silent."""
    async with listening(sandbox, STREAM, "/stream") as socket:
        await socket.say({"method": "SUBSCRIBE", "params": ["btcusdt@trade", "nope@trade"], "id": "first"})
        assert await socket.next() == {"result": None, "id": "first"}
        assert (await socket.next())["stream"] == "btcusdt@trade"
        await socket.say({"method": "SET_PROPERTY", "params": ["combined", False], "id": 5})
        await socket.say({"method": "LIST_SUBSCRIPTIONS", "id": None})
        replies = [frame for frame in await socket.several(6) if "result" in frame]
        assert replies == [{"result": None, "id": 5}, {"result": ["btcusdt@trade", "nope@trade"], "id": None}]
        assert (await socket.next())["e"] == "trade"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ({"method": "SHOUT", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": "btcusdt@trade", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": [f"s{n}@trade" for n in range(1025)], "id": 1}, 2),
    ],
)
async def test_mistakes_are_told_and_the_socket_stays(sandbox: Sandbox, message: object, code: int) -> None:
    """A code and a sentence."""
    async with listening(sandbox, STREAM, "/ws") as socket:
        await socket.say(message)
        error = await socket.next()
        assert error["code"] == code
        assert "Invalid" in error["msg"]
        await socket.say({"method": "LIST_SUBSCRIPTIONS", "id": 2})
        assert await socket.next() == {"result": [], "id": 2}


async def test_times_come_in_microseconds_when_asked_for(sandbox: Sandbox) -> None:
    """By a parameter of the address."""
    async with listening(sandbox, STREAM, "/ws/btcusdt@trade?timeUnit=MICROSECOND") as socket:
        assert len(str((await socket.next())["E"])) == 16


async def test_other_scripts_are_found_by_their_encoded_name(sandbox: Sandbox) -> None:
    """Percent-encoded in the address, raw in the event."""
    path = "/ws/%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9Fusdt@bookTicker"
    async with listening(sandbox, STREAM, path) as socket:
        assert "币安人生USDT" in await socket.text()


async def test_ids_can_be_larger_than_a_float_holds(sandbox: Sandbox, binance: httpx.AsyncClient) -> None:
    """With a sequence base, in the stream and in the snapshot alike."""
    sandbox.switches.sequence_base = 9_000_000_000_000_000_000
    async with listening(sandbox, STREAM, "/ws/btcusdt@depth@100ms") as books:
        event = await books.next()
        snapshot = (await binance.get("/api/v3/depth?symbol=BTCUSDT")).json()
    assert 2**62 < event["U"] < event["u"] < 2**63
    assert 2**62 < snapshot["lastUpdateId"] < 2**63
    assert json.dumps(snapshot["lastUpdateId"]) != json.dumps(int(float(snapshot["lastUpdateId"])))


async def test_nothing_is_to_be_had_elsewhere(sandbox: Sandbox, binance: httpx.AsyncClient) -> None:
    """Another path is a 404, for a socket too."""
    headers = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    assert (await binance.get("/elsewhere", headers=headers)).status_code == 404
