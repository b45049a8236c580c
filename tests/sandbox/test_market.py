"""Prices move, agree across providers and pairs, and depend on nothing but the seed and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import httpx
import pytest
import trio
from trio.testing import MockClock

from etl_actors.sandbox import Sandbox, serve_sandbox
from etl_actors.sandbox.clock import Clock
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.walk import DAY_TICKS, Walk
from tests.sandbox.conftest import BINANCE, OPENED


async def test_providers_agree_on_bitcoin(
    binance: httpx.AsyncClient, coingecko: httpx.AsyncClient, cryptocompare: httpx.AsyncClient
) -> None:
    """BTCUSDT, CoinGecko's bitcoin and CryptoCompare's BTC are within half a percent."""
    pair = float((await binance.get("/api/v3/ticker/price?symbol=BTCUSDT")).json()["price"])
    coins = (await coingecko.get("/api/v3/coins/markets?vs_currency=usd&ids=bitcoin")).json()
    prices = (await cryptocompare.get("/data/pricemulti?fsyms=BTC&tsyms=USD")).json()
    assert coins[0]["current_price"] == pytest.approx(pair, rel=0.005)
    assert prices["BTC"]["USD"] == pytest.approx(pair, rel=0.005)


async def test_pairs_agree_with_each_other(binance: httpx.AsyncClient, mock_clock: MockClock) -> None:
    """Ether through bitcoin costs what ether costs, also a day later."""
    for _ in range(2):
        rows = (await binance.get("/api/v3/ticker/price")).json()
        price = {row["symbol"]: float(row["price"]) for row in rows}
        assert price["ETHBTC"] * price["BTCUSDT"] == pytest.approx(price["ETHUSDT"], rel=0.005)
        mock_clock.jump(86_400)


async def test_prices_move_plausibly(binance: httpx.AsyncClient, mock_clock: MockClock) -> None:
    """Within a second by less than a percent, within an hour by something, within a day by less than half."""
    prices = []
    for wait in (0, 1, 3_599, 82_800):
        mock_clock.jump(wait)
        prices.append(float((await binance.get("/api/v3/ticker/price?symbol=BTCUSDT")).json()["price"]))
    assert prices[1] == pytest.approx(prices[0], rel=0.01)
    assert prices[2] != prices[0]
    assert prices[3] == pytest.approx(prices[0], rel=0.5)


async def _day_at(seed: int, clock: MockClock, nursery: trio.Nursery, *, seconds: float) -> bytes:
    sandbox: Sandbox = await nursery.start(partial(serve_sandbox, pairs=60, seed=seed, epoch=OPENED))
    clock.jump(seconds)
    async with httpx.AsyncClient(base_url=sandbox.origins[BINANCE]) as client:
        return (await client.get("/api/v3/ticker/24hr")).content


async def test_the_same_seed_and_clock_give_the_same_bytes(nursery: trio.Nursery, mock_clock: MockClock) -> None:
    """Two exchanges with one seed agree to the byte after half a minute; another seed differs."""
    first, second, other = [await _day_at(seed, mock_clock, nursery, seconds=31.7) for seed in (3, 3, 4)]
    assert first == second != other


def test_a_walk_can_be_asked_in_any_order() -> None:
    """What was asked before does not change what is answered."""
    forward, backward = (Walk(5, "BTC", 100.0, 0.03) for _ in range(2))
    ticks = [-DAY_TICKS, -1, 0, 1, 17, 8191, 8192, 3 * DAY_TICKS, 400 * DAY_TICKS]
    there = [forward.at(tick) for tick in ticks]
    back = [backward.at(tick) for tick in reversed(ticks)]
    assert there == back[::-1]


def test_a_walk_has_no_jumps_at_the_points_of_its_grid() -> None:
    """From one tick to the next the price changes by little, wherever that is."""
    walk = Walk(5, "BTC", 100.0, 0.03)
    for border in (8192 * place for place in range(-130, 130, 7)):
        assert abs(walk.at(border) - walk.at(border - 1)) < 0.001


async def test_an_exchange_of_2500_pairs_has_every_trap_and_its_part_of_dead_ones() -> None:
    """As many pairs as asked for, no symbol twice, one in twelve halted, two just listed."""
    market = Market(2500, 1)
    pairs = list(market.pairs.values())
    assert len(pairs) == 2500
    assert sum(pair.status == "BREAK" for pair in pairs) == 200
    assert sum(pair.status == "TRADING" and not pair.traded for pair in pairs) == 2
    assert {"BTCUPUSDT", "USDCUSDT", "1MBABYDOGEUSDT", "龙虾USDT", "USDTTRY", "WBTCBTC"} < set(market.pairs)
    assert len({pair.quote.symbol for pair in pairs}) > 20


async def test_the_largest_answer_never_holds_the_loop(nursery: trio.Nursery) -> None:
    """While 2,500 rows are built and compressed, another task keeps getting its turn."""
    sandbox: Sandbox = await nursery.start(serve_sandbox)
    longest = 0.0

    async def watch(task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED) -> None:
        nonlocal longest
        with trio.CancelScope() as scope:
            task_status.started(scope)
            while True:
                before = _processor_time()
                await trio.lowlevel.checkpoint()
                longest = max(longest, _processor_time() - before)

    target = sandbox.origins[BINANCE] + "/api/v3/ticker/24hr"
    async with httpx.AsyncClient() as client:
        await client.get(target)
        watching = await nursery.start(watch)
        # The bytes are counted as they came: inflating them is the client's work, and it holds this very loop.
        async with client.stream("GET", target) as response:
            raw = [chunk async for chunk in response.aiter_raw()]
        watching.cancel()
    assert sum(map(len, raw)) > 100_000
    assert longest < 0.05  # a tenth of it on a quiet machine


_processor_time: Callable[[], float] = time.thread_time


async def test_the_clock_follows_trio_s(mock_clock: MockClock) -> None:
    """A jump of the test's clock is a jump of the exchange's."""
    clock = Clock(OPENED)
    mock_clock.jump(12.34)
    assert clock.now() == pytest.approx(OPENED + 12.34)
    assert clock.tick() == 123
    assert clock.http_date(60) == "Thu, 01 Jan 2026 00:01:12 GMT"
