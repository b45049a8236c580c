"""A provider's allowance: the sums, and the gate in virtual time."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.settings import LimitSettings
from etl_actors.sources.pacing import Limit
from etl_actors.sources.quota import Allowance, Demand, Window, allowances_of, stretched

COINGECKO = LimitSettings(requests_per_minute=5)
BINANCE = LimitSettings(weight_per_minute=6000)

NOW = datetime(2025, 12, 8, 16, 0, 40, tzinfo=UTC)

demands = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=2),
    st.builds(Demand, st.sampled_from([0.0]) | st.floats(0.1, 10_000), st.integers(0, 300)),
    min_size=1,
    max_size=8,
)
allowances = st.lists(
    st.builds(Allowance, st.floats(0.1, 10_000), st.sampled_from([1.0, 60.0, 3600.0]), st.booleans()), max_size=3
).map(tuple)


def test_keyless_coingecko_stretches_to_36_seconds() -> None:
    """Five calls a minute shared by three connectors at 10 s."""
    three = dict.fromkeys("abc", Demand(10))
    assert stretched(three, allowances_of(COINGECKO)) == dict.fromkeys("abc", pytest.approx(36))


def test_binance_fits_as_it_is() -> None:
    """89 weight a round, every 10 s, in 6,000 a minute."""
    asked = {"book": Demand(10, 5), "prices": Demand(10, 4), "day": Demand(10, 80)}
    assert stretched(asked, allowances_of(BINANCE)) == dict.fromkeys(asked, 10)


def test_tightest_window_decides() -> None:
    """Ten a minute would do; a hundred a day does not."""
    both = allowances_of(LimitSettings(requests_per_minute=10, requests_per_day=100))
    assert stretched({"a": Demand(10)}, both) == {"a": pytest.approx(864)}


def test_all_stretch_by_the_same_factor() -> None:
    """Who polls half as often still does."""
    both = stretched({"a": Demand(1), "b": Demand(2)}, (Allowance(45, 60),))
    assert both == {"a": pytest.approx(2), "b": pytest.approx(4)}


def test_back_to_back_alone_takes_the_whole_allowance() -> None:
    """Interval 0 over a limit polls as fast as the limit goes, and without one at once."""
    assert stretched({"a": Demand(0)}, (Allowance(30, 60),)) == {"a": 2}
    assert stretched({"a": Demand(0), "b": Demand(0)}, (Allowance(30, 60),)) == {"a": 4, "b": 4}
    assert stretched({"a": Demand(0)}, ()) == {"a": 0}


def test_back_to_back_takes_what_companions_leave() -> None:
    """Steady companions keep their interval, and over the limit it counts as one of them."""
    assert stretched({"a": Demand(0), "b": Demand(10)}, (Allowance(36, 60),)) == {"a": 2, "b": 10}
    crowd = {"a": Demand(0), "b": Demand(10), "c": Demand(10)}
    assert stretched(crowd, (Allowance(5, 60),)) == dict.fromkeys("abc", pytest.approx(36))


@given(demands, allowances)
def test_stretched_pace_stays_inside_every_allowance(asked: dict[str, Demand], limits: tuple[Allowance, ...]) -> None:
    """Whatever is declared: the sum fits, nobody gets faster than wanted."""
    intervals = stretched(asked, limits)
    assert intervals.keys() == asked.keys()
    for limit in limits:
        used = sum(
            limit.of(one.cost) * limit.seconds / intervals[name] for name, one in asked.items() if limit.of(one.cost)
        )
        assert used <= limit.amount * 1.000001
    assert all(intervals[name] >= one.interval for name, one in asked.items())


@given(
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40)), max_size=60),
    st.integers(10, 100),
    st.booleans(),
)
def test_window_is_never_exceeded(calls: list[tuple[float, int]], amount: int, weighed: bool) -> None:
    """Whenever calls come, made when the window says they may, no 60 seconds hold more than is allowed."""
    window, now, made = Window(Allowance(amount, 60, weighed)), 0.0, []
    for pause, cost in calls:
        now += pause
        while (wait := window.wait(cost, now)) > 0:
            now += wait
        window.use(cost, now)
        made.append((now, min(cost, amount) if weighed else 1))
    for start, _ in made:
        assert sum(used for at, used in made if start <= at < start + 60 - 1e-5) <= amount


async def test_gate_is_open_at_the_stretched_pace(autojump_clock: trio.testing.MockClock) -> None:
    """Evenly spread calls at the effective interval never wait."""
    limit = Limit(COINGECKO)
    began = trio.current_time()
    for call in range(50):
        await trio.sleep_until(began + 12 * call)
        await limit.admit()
        assert trio.current_time() == pytest.approx(began + 12 * call, abs=1e-3)


async def test_gate_spreads_a_burst_first_come_first_served(autojump_clock: trio.testing.MockClock) -> None:
    """Twelve calls at once on five a minute: five, five, two, in the order they came."""
    limit, admitted = Limit(COINGECKO), []
    began = trio.current_time()

    async def call(name: int) -> None:
        await limit.admit()
        admitted.append((name, round(trio.current_time() - began)))

    async with trio.open_nursery() as nursery:
        for name in range(12):
            nursery.start_soon(call, name)
            await trio.testing.wait_all_tasks_blocked()
    assert admitted == [(name, name // 5 * 60) for name in range(12)]


async def test_call_that_costs_more_than_everything_is_still_made(autojump_clock: trio.testing.MockClock) -> None:
    """It takes an empty window instead of waiting for ever."""
    limit = Limit(LimitSettings(weight_per_minute=50))
    with trio.fail_after(200):
        await limit.admit(80)
        await limit.admit(80)


async def test_ban_holds_everybody_and_shows(autojump_clock: trio.testing.MockClock) -> None:
    """The provider blocks the address: the whole limit waits, and is throttled for as long."""
    limit = Limit(BINANCE)
    limit.join("a", 10, 5)
    assert not limit.throttled("a")
    limit.ban(120)
    began = trio.current_time()
    assert limit.throttled("a")
    await limit.admit(5)
    assert trio.current_time() - began == pytest.approx(120)
    assert not limit.throttled("a")


async def test_cancelled_caller_leaves_the_queue(autojump_clock: trio.testing.MockClock) -> None:
    """A connector that is stopped while it waits uses nothing and blocks nobody."""
    limit = Limit(BINANCE)
    limit.ban(100)
    with trio.move_on_after(10):
        await limit.admit()
    began = trio.current_time()
    await limit.admit()
    assert trio.current_time() - began == pytest.approx(90)


async def test_connectors_that_leave_give_their_share_back(autojump_clock: trio.testing.MockClock) -> None:
    """Joining and leaving change everybody's interval at once."""
    limit = Limit(COINGECKO)
    for name in "abc":
        limit.join(name, 10)
    assert limit.throttled("a")
    assert limit.effective_interval("a") == pytest.approx(36)
    limit.leave("b")
    limit.leave("c")
    limit.leave("never joined")
    assert limit.effective_interval("a") == pytest.approx(12)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-MBX-USED-WEIGHT-1M": "100"}, 0),
        ({"X-MBX-USED-WEIGHT-1M": "5800"}, 20),
        ({"x-mbx-used-weight-1m": "5800", "Date": "Mon, 08 Dec 2025 16:00:55 GMT"}, 5),
        ({"RateLimit-Remaining": "3", "RateLimit-Reset": "30"}, 0),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "30"}, 30),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 7)}, 7),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW.timestamp()) * 1000 + 7000)}, 7),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "999999999"}, 3600),
        ({"X-RateLimit-Remaining": "0"}, 0),
        ({"X-RateLimit-Remaining": "none", "X-RateLimit-Reset": "\x00"}, 0),
    ],
)
async def test_headers_hold_until_the_reset(headers: dict[str, str], seconds: float) -> None:
    """What the provider says of the quota counts for everybody of the limit; garbage does not."""
    limit = Limit(BINANCE, now=lambda: NOW)
    limit.observe(headers)
    assert ceil(limit.held_seconds()) == seconds


async def test_headers_are_ignored_when_told_so() -> None:
    """honour_headers = false."""
    limit = Limit(LimitSettings(weight_per_minute=6000, honour_headers=False), now=lambda: NOW)
    limit.observe({"RateLimit-Remaining": "0", "RateLimit-Reset": "30"})
    assert limit.held_seconds() == 0


async def test_a_limit_tells_how_it_is_used(autojump_clock: object) -> None:
    """By window; what is older than the window is no use of it any more."""
    limit = Limit(LimitSettings(weight_per_minute=100, requests_per_hour=50))
    limit.join("a", 10, cost=30)
    await limit.admit(30)
    await trio.sleep(50)
    await limit.admit(30)
    told = limit.statistics()
    assert told.connectors == 1
    assert {(one.seconds, one.weighed, one.allowed): one.used for one in told.windows} == {
        (3600, False, 50): 2,
        (60, True, 100): 60,
    }
    await trio.sleep(20)
    limit.ban(30)
    told = limit.statistics()
    assert told.held_seconds == pytest.approx(30)
    assert [one.used for one in told.windows if one.weighed] == [30]


async def test_a_limit_that_is_loosened_lets_through_who_waits(autojump_clock: trio.testing.MockClock) -> None:
    """At once, and intervals shrink with it; nobody has to join again."""
    limit = Limit(LimitSettings(requests_per_hour=1))
    limit.join("a", 10)
    await limit.admit()
    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(limit.admit)
        await trio.sleep(5)
        assert limit.effective_interval("a") == 3600
        limit.change(LimitSettings(requests_per_hour=1000))
    assert trio.current_time() - begun == pytest.approx(5)
    assert limit.effective_interval("a") == 10


async def test_what_was_used_of_a_limit_counts_after_its_change(autojump_clock: trio.testing.MockClock) -> None:
    """Saving the file again and again gives nobody more calls; a window of another length begins empty."""
    limit = Limit(LimitSettings(requests_per_minute=5))
    begun = trio.current_time()
    for amount in (4, 3, 2):
        await limit.admit()
        limit.change(LimitSettings(requests_per_minute=amount, requests_per_hour=100))
    assert trio.current_time() == begun
    await limit.admit()
    assert trio.current_time() - begun == pytest.approx(60)
