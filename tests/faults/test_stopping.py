"""SIGTERM, again and again, under everything a service does: it drains, in time, and says goodbye to everybody."""

from __future__ import annotations

import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import httpx
import pytest
import trio

from ..service.reloads import Folder
from ..service.running import RunningService, never_reading, running
from ..sources.providers import provider
from ..sources.stream_server import serving
from ..storage.relay import open_relay
from .counted import spool_emptied, stored, written_config
from .counting import CONFIG, Counter, Listener
from .growing import ROWS, Rows, Stored
from .rounds import FULL, rounds, show
from .test_kill import Follower, Uploader

STOPS = rounds(3, full=100)
A_SECOND = rounds(100, full=500)
DRAIN_SECONDS = 5
GOING_AWAY = 1001
SERVICE = f"[server]\ndrain_seconds = {DRAIN_SECONDS}\n"
# What a machine that is busy with other things may add.
SLACK_SECONDS = 1.0 if FULL else 20.0


@contextmanager
def stuck(service: RunningService, many: int) -> Iterator[None]:
    """Sockets that ask for everything and take nothing."""
    with ExitStack() as opened:
        for _ in range(many):
            opened.enter_context(never_reading(service, "/ws"))
        yield


async def read_on(client: httpx.AsyncClient, path: str, **headers: str) -> None:
    """Reads an answer that does not end, or one after the other."""
    with suppress(httpx.HTTPError):
        while True:
            async with client.stream("GET", path, headers=headers, timeout=60) as answer:
                async for _ in answer.aiter_bytes():
                    pass


async def stopped(service: RunningService, listeners: list[Listener], uploader: Uploader, wait: float) -> float:
    """One life in full swing, and how many seconds its end took."""
    async with trio.open_nursery() as nursery:
        for listener in listeners:
            await nursery.start(listener.listen, service.address)
        nursery.start_soon(uploader.upload, service.client)
        nursery.start_soon(read_on, service.client, "/api/stream")
        nursery.start_soon(lambda: read_on(service.client, "/api/data/items?limit=10000", Accept="text/csv"))
        with stuck(service, 3):
            await trio.sleep(wait)
            began = time.monotonic()
            assert await service.stop(seconds=DRAIN_SECONDS + SLACK_SECONDS) == 0
            took = time.monotonic() - began
        with trio.fail_after(10):
            while any(listener.closed is None for listener in listeners):  # noqa: ASYNC110  # closing frames in flight
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    return took


async def test_it_drains_whatever_is_under_way(folder: Path, database: str) -> None:
    """Exit 0 within the budget, a close frame for all who read, and nothing that was read or answered is lost."""
    chance, rows, counter, uploader = random.Random(8), Rows(), Counter(a_second=A_SECOND), Uploader()
    took: list[float] = []
    heard: set[int] = set()
    async with provider(rows.script) as url, serving(counter.visit) as streams:
        files = Folder(folder / "config")
        files.connectors("numbered", ROWS.format(url=url), CONFIG.format(url=streams.url))
        files.write("service.toml", SERVICE)
        for _ in range(STOPS):
            listeners: list[Listener] = [Follower(), *(Listener() for _ in range(16))]
            environment = {"DATABASE_URL": database}
            async with running(files.path, folder / "data", environment=environment) as service:
                took.append(await stopped(service, listeners, uploader, chance.uniform(0.2, 1.5)))
            assert {listener.closed for listener in listeners} == {GOING_AWAY}
            for listener in listeners:
                heard |= {
                    item["extra"]["number"]
                    for one in listener.events
                    if one["connector_id"] == "counted"
                    for item in one["data"]["items"]
                }
    left = await trio.to_thread.run_sync(Stored, database)
    assert left.rows == list(range(1, len(left.rows) + 1))
    assert left.counted == sorted(set(left.counted))
    assert heard <= set(left.counted)
    assert left.offsets == list(range(1, len(left.offsets) + 1))
    assert set(uploader.answered) <= {name for name, _ in left.files}
    show(
        f"SIGTERM {STOPS} times under load: exit 0 each time, in {median(took):.2f} s, {max(took):.2f} s at most;"
        f" {len(heard):,} frames heard and {len(uploader.answered):,} uploads answered: all stored"
    )
    assert max(took) < DRAIN_SECONDS + SLACK_SECONDS


async def hold(service: RunningService) -> None:
    """Clients that hold up whoever waits for them."""
    with stalled_upload(service), stuck(service, 2):
        await trio.sleep_forever()


@contextmanager
def stalled_upload(service: RunningService) -> Iterator[None]:
    """An upload of which the rest never comes."""
    address = urlsplit(service.address)
    with socket.create_connection((address.hostname, address.port)) as opened:
        opened.sendall(
            b"POST /api/data/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        )
        yield


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_database_that_says_nothing_is_not_waited_for(signals: int, folder: Path, database: str) -> None:
    """Nor are clients that stall: at the end of the budget, or soon after a second signal, what was read is on disk;
    the next life stores it.
    """
    counter, listener = Counter(a_second=100), Listener()
    async with serving(counter.visit) as provider, open_relay(database) as relay:
        config = written_config(folder, provider.url)
        (config / "service.toml").write_text("[server]\ndrain_seconds = 2\n", encoding="utf-8")
        async with (
            running(config, folder / "data", environment={"DATABASE_URL": relay.conninfo}) as service,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(listener.listen, service.address)
            await listener.until(lambda: len(listener.numbers) > 50)
            nursery.start_soon(hold, service)
            relay.frozen = True
            await trio.sleep(0.5)
            said, heard = counter.said, listener.numbers[-1]
            began = time.monotonic()
            if signals == 2:
                service.process.send_signal(signal.SIGTERM)
                await trio.sleep(0.3)
            code = await service.stop()
            took = time.monotonic() - began
            nursery.cancel_scope.cancel()
        relay.frozen = False
        async with running(config, folder / "data", environment={"DATABASE_URL": relay.conninfo}) as service:
            await spool_emptied(service)
            counter.stopped = True
            assert await service.stop() == 0
    assert code == 0
    numbers = [number for _, _, number in await stored(database)]
    assert numbers == sorted(set(numbers))
    assert set(listener.numbers) <= set(numbers)
    # Beyond what it had stored before, and so said, it held some: in hand, and in each of its channels. What waited for
    # it in the kernel it had not read.
    held = [number for number in numbers if heard < number <= said]
    assert len(held) >= 10
    what = "a writer that never returns: " + ("a second SIGTERM after 0.3 s" if signals == 2 else "cut at 2 s")
    show(f"{what}: ended after {took:.2f} s; {len(held)} frames that it held stored once by the next start")
    assert took < (1.3 if signals == 2 else 3.0) + (0 if FULL else SLACK_SECONDS)
