"""The database is away and the disk has no more room: nothing is dropped, and whoever brings more is not asked to."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import psycopg
import trio

from ..service.reloads import Origin, connector
from ..service.running import running
from ..sources.stream_server import serving
from ..storage.relay import open_relay
from ..web.origin_server import serving as serving_http
from .counted import spool_emptied, stored, written_config
from .counting import Counter, Listener
from .rounds import show

SPOOL = "[spool]\nmax_bytes = 1_150_000\n"


async def test_a_full_spool_closes_sockets_pauses_polls_and_tells_the_gap(folder: Path, database: str) -> None:
    """Everything that was read is stored once and in order, and the one hole in it has a gap of its own."""
    counter, listener, origin = Counter(a_second=200), Listener(), Origin()
    async with serving(counter.visit) as provider, open_relay(database) as relay:
        with serving_http(origin) as http:
            config = written_config(folder, provider.url)
            (config / "service.toml").write_text(SPOOL, encoding="utf-8")
            (config / "connectors" / "polled.toml").write_text(connector("polled", http.url), encoding="utf-8")
            async with (
                running(config, folder / "data", environment={"DATABASE_URL": relay.conninfo}) as service,
                trio.open_nursery() as nursery,
            ):
                await nursery.start(listener.listen, service.address, "?connectors=counted")
                await listener.until(lambda: len(listener.numbers) > 50)
                relay.shut()
                status = await service.until("/api/status", lambda one: one["connectors"]["running"] == [], seconds=60)
                assert status["spool"]["full"]
                with trio.fail_after(10):
                    await provider.visits[0].ended.wait()
                asked = origin.asked["/polled"]
                states = await service.get("/api/connectors")
                await trio.sleep(2)
                assert origin.asked["/polled"] == asked
                assert len(provider.visits) == 1
                assert {one["state"] for one in states["connectors"]} == {"paused"}
                relay.open()
                await spool_emptied(service)
                await service.until("/api/status", lambda one: len(one["connectors"]["running"]) == 2)
                here = len(listener.numbers)
                await listener.until(lambda: len(listener.numbers) > here + 50)
                counter.stopped = True
                await listener.until(lambda: listener.numbers[-1] == counter.said)
                assert await service.stop() == 0
                nursery.cancel_scope.cancel()
    assert origin.asked["/polled"] > asked
    numbers = [number for _, _, number in await stored(database) if number is not None]
    assert numbers == sorted(set(numbers))
    assert set(listener.numbers) <= set(numbers)
    holes = [after for before, after in pairwise(numbers) if after != before + 1]
    with psycopg.connect(database) as connection:
        gaps = connection.execute("SELECT connector_id, first_missing FROM gaps").fetchall()
    assert gaps == [("counted", None)]
    assert len(holes) <= 1
    lost = counter.said - len(numbers)
    show(f"full spool: {len(numbers):,} of {counter.said:,} frames stored, {lost} were sent to a socket being closed")
