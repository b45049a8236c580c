"""The database goes away and comes back: nothing is lost, nothing comes twice, and the live feed goes on."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest
import trio

from ..service.running import running
from ..sources.providers import provider
from ..sources.stream_server import serving
from ..storage.relay import Relay, open_relay
from .counted import spool_emptied, stored, written_config
from .counting import Counter, Listener
from .growing import ROWS, Rows, Stored
from .rounds import FULL, rounds, show


async def test_an_outage_is_ridden_out(folder: Path, database: str) -> None:
    """Frames come on without offsets, are told them later, and lie in the table once, in order, without a hole."""
    counter, listener, late = Counter(a_second=100), Listener(), Listener()
    async with serving(counter.visit) as provider, open_relay(database) as relay:
        config = written_config(folder, provider.url)
        async with (
            running(config, folder / "data", environment={"DATABASE_URL": relay.conninfo}) as service,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(listener.listen, service.address)
            await listener.until(lambda: len(listener.numbers) > 50)
            relay.shut()
            await listener.until(lambda: sum(one["offset"] is None for one in listener.events) > 300)
            await nursery.start(late.listen, service.address)
            status = await service.get("/api/status")
            assert status["spool"]["batches"] > 0
            assert status["status"] == "not ready"
            refused = await service.client.post("/api/data/upload", files={"file": ("a.csv", b"a\n1\n")})
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            await late.until(lambda: len(late.numbers) > 50)
            relay.open()
            await spool_emptied(service)
            await listener.until(lambda: listener.events[-1]["offset"] is not None)
            counter.stopped = True
            await listener.until(lambda: listener.numbers[-1] == counter.said)
            await late.until(lambda: late.numbers[-1] == counter.said)
            assert await service.stop() == 0
            nursery.cancel_scope.cancel()
    log = await stored(database)
    assert [offset for offset, _, _ in log] == list(range(1, len(log) + 1))
    assert [number for _, _, number in log] == list(range(1, counter.said + 1))
    first = listener.numbers[0]
    assert listener.numbers == list(range(first, counter.said + 1))
    offsets = {event_id: offset for offset, event_id, _ in log}
    assert listener.offsets() == {one["id"]: offsets[one["id"]] for one in listener.events}
    # Who came during the outage is sent what was said before, when it is stored.
    assert sorted(late.numbers) == list(range(min(late.numbers), counter.said + 1))
    assert late.offsets() == {one["id"]: offsets[one["id"]] for one in late.events}
    assert min(late.numbers) <= next(
        number for one, number in zip(listener.events, listener.numbers, strict=True) if one["offset"] is None
    )


async def open_later(relay: Relay, seconds: float) -> None:
    """The database comes back while the service starts."""
    await trio.sleep(seconds)
    relay.open()


async def test_killed_while_the_database_is_away_it_stores_what_it_said(folder: Path, database: str) -> None:
    """Whatever a subscriber heard is in the table once, in order, although the service was killed again and again,
    and the database came back before it was started, or while it waited for it. A cursor goes on where its spool ends.
    """
    counter, listener, rows, kills = Counter(a_second=100), Listener(), Rows(), rounds(2, full=50)
    chance = random.Random(9)
    async with (
        serving(counter.visit) as streams,
        provider(rows.script) as url,
        open_relay(database) as relay,
    ):
        config = written_config(folder, streams.url)
        (config / "connectors" / "rows.toml").write_text(ROWS.format(url=url), encoding="utf-8")
        environment = {"DATABASE_URL": relay.conninfo}
        for kill in range(kills):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(open_later, relay, kill % 2)
                async with running(config, folder / "data", environment=environment) as service:
                    await nursery.start(listener.listen, service.address, "?connectors=counted")
                    here = len(listener.numbers)
                    await listener.until(lambda here=here: len(listener.numbers) > here + 30)
                    relay.shut()
                    here = len(listener.numbers)
                    # Some die before the first batch is on disk, and some long after.
                    wanted = here + chance.randrange(5, 250)
                    await listener.until(lambda wanted=wanted: len(listener.numbers) > wanted)
                    await service.stop(signal.SIGKILL)
                nursery.cancel_scope.cancel()
        relay.open()
        async with running(config, folder / "data", environment=environment) as service:
            await spool_emptied(service)
            counter.stopped = rows.stopped = True
            with trio.fail_after(30):
                while len((left := await trio.to_thread.run_sync(Stored, database)).rows) < rows.last:  # noqa: ASYNC110  # another process stores them
                    await trio.sleep(0.1)
            assert await service.stop() == 0
    left = await trio.to_thread.run_sync(Stored, database)
    assert left.rows == list(range(1, rows.last + 1))
    assert left.counted == sorted(set(left.counted))
    assert set(listener.numbers) <= set(left.counted)
    assert left.offsets == list(range(1, len(left.offsets) + 1))
    show(
        f"killed with a spool that is not empty: {kills} times; {len(set(listener.numbers)):,} frames heard and"
        f" {len(left.rows):,} rows of a cursor, all of them stored once and in order"
    )


async def test_a_stop_during_an_outage_leaves_everything_on_disk(folder: Path, database: str) -> None:
    """SIGTERM ends with 0 in time; the next start stores what waited before anything new."""
    counter, listener = Counter(a_second=100), Listener()
    async with serving(counter.visit) as provider, open_relay(database) as relay:
        config = written_config(folder, provider.url)
        async with (
            running(config, folder / "data", environment={"DATABASE_URL": relay.conninfo}) as service,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(listener.listen, service.address)
            await listener.until(lambda: len(listener.numbers) > 30)
            relay.frozen = True
            await listener.until(lambda: sum(one["offset"] is None for one in listener.events) > 50)
            assert await service.stop() == 0
            nursery.cancel_scope.cancel()
        heard = list(listener.numbers)
        relay.frozen = False
        async with running(config, folder / "data", environment={"DATABASE_URL": relay.conninfo}) as service:
            await spool_emptied(service)
            counter.stopped = True
            assert await service.stop() == 0
    numbers = [number for _, _, number in await stored(database)]
    assert numbers == sorted(set(numbers))
    assert set(heard) <= set(numbers)


@pytest.mark.skipif(not FULL, reason="takes two minutes; tox run -e faults has it")
async def test_a_minute_away_costs_little(folder: Path, database: str) -> None:
    """At 500 frames a second, which are a thousand rows: what it costs in silence, memory and time."""
    counter, listener = Counter(a_second=500), Listener()
    async with serving(counter.visit) as provider, open_relay(database) as relay:
        config = written_config(folder, provider.url)
        async with (
            running(config, folder / "data", environment={"DATABASE_URL": relay.conninfo}) as service,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(listener.listen, service.address)
            await listener.until(lambda: len(listener.numbers) > 1000)
            before = service.resident_megabytes()
            nursery.start_soon(listener.watch_silence)
            relay.shut()
            await trio.sleep(60)
            waits, peak = (await service.get("/api/status"))["spool"], service.resident_megabytes()
            relay.open()
            began = trio.current_time()
            await spool_emptied(service)
            rate = waits["rows"] / (trio.current_time() - began)
            after = service.resident_megabytes()
            counter.stopped = True
            await listener.until(lambda: listener.numbers[-1] == counter.said, seconds=120)
            assert await service.stop() == 0
            nursery.cancel_scope.cancel()
    numbers = [number for _, _, number in await stored(database)]
    show(
        f"a minute away at 500 frames/s: {waits['rows']:,} rows ({waits['bytes'] / 1e6:.0f} MB) waited on disk, stored"
        f" at {rate:,.0f} rows/s; silent for {listener.silence:.2f} s at most; {before:.0f} MB before, {peak:.0f} while"
        f" away, {after:.0f} after; {counter.said:,} said, {len(numbers):,} stored"
    )
    assert numbers == list(range(1, counter.said + 1))
    assert listener.numbers == list(range(listener.numbers[0], counter.said + 1))
    assert rate > 10_000
    assert listener.silence < 2
    assert max(peak, after) < before + 100
