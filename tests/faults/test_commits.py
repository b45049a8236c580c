"""Whatever becomes of a commit on its way: everything is stored once, in order, and nobody hears anything twice."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import trio

from etl_actors.errors import Ended
from etl_actors.storage.embedded import EmbeddedPostgres, open_embedded

from ..service.running import postmaster, running
from ..sources.stream_server import serving
from ..storage.relay import Relay, open_relay
from .counted import spool_emptied, stored, written_config
from .counting import Counter, Listener
from .holdings import OTHER_SESSIONS
from .rounds import rounds, show

A_SECOND = rounds(150, full=500)
CUTS = rounds(6, full=200)
RESTARTS = rounds(2, full=50)
ENDED = rounds(10, full=200)
SILENT = rounds(3, full=21)
# No power is cut here; a server that is told to stop at once loses nothing that it committed.
SETTINGS = {"fsync": "off", "full_page_writes": "off"}


@asynccontextmanager
async def behind_a_door(folder: Path, database: str, name: str) -> AsyncIterator[Relay]:
    """A service that counts, whose database is behind the door; afterwards what it stored and said is looked at."""
    counter, listener = Counter(a_second=A_SECOND), Listener()
    async with serving(counter.visit) as provider, open_relay(database) as door:
        config = written_config(folder, provider.url)
        async with (
            running(config, folder / "data", environment={"DATABASE_URL": door.conninfo}) as service,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(listener.listen, service.address)
            await listener.until(lambda: len(listener.numbers) > 20)
            nursery.start_soon(listener.watch_silence)
            yield door
            await spool_emptied(service)
            counter.stopped = True
            await listener.until(lambda: listener.numbers[-1] == counter.said)
            await listener.until(lambda: len(listener.offsets()) == len(listener.events))
            log = await stored(database)
            assert await service.stop() == 0
            nursery.cancel_scope.cancel()
    assert [number for _, _, number in log] == list(range(1, counter.said + 1))
    assert [offset for offset, _, _ in log] == list(range(1, len(log) + 1))
    assert listener.numbers == list(range(listener.numbers[0], counter.said + 1))
    offsets = {event_id: offset for offset, event_id, _ in log}
    assert listener.offsets() == {one["id"]: offsets[one["id"]] for one in listener.events}
    show(f"{name}: {counter.said:,} frames, lost 0, twice 0, in order; silent for {listener.silence:.2f} s at most")


async def until(holds: Callable[[], object]) -> None:
    """Until it is so."""
    with trio.fail_after(30):
        while not holds():  # noqa: ASYNC110  # what is waited for happens in another process
            await trio.sleep(0.005)


async def test_a_commit_whose_answer_is_cut_off_happened_once(folder: Path, database: str) -> None:
    """Half of the commits arrive at the server, and the others do not; nobody can tell."""
    chance = random.Random(5)
    async with behind_a_door(folder, database, f"{CUTS} answers to COMMIT cut off") as door:
        for cut in range(1, CUTS + 1):
            await trio.sleep(chance.uniform(0, 0.1))
            door.early, door.latency = chance.random() < 0.5, chance.choice((0.0, 0.0, 0.01))
            door.cut_on = b"COMMIT"
            await until(lambda cut=cut: door.cuts == cut)


async def test_a_line_that_goes_dead_in_a_commit_holds_nothing_up(folder: Path, database: str) -> None:
    """It does not break, it only says nothing any more, for longer than anybody waits for an answer: in the middle of a
    COPY, with the COMMIT or with its answer. The server does not notice; now and then all the other lines are dead too.
    """
    chance = random.Random(7)
    places = ((b'"symbol"', True), (b"COMMIT", True), (b"COMMIT", False))  # what is said, and whether it arrives
    async with behind_a_door(folder, database, f"{SILENT} lines that went dead in a commit") as door:
        door.silent = True
        for cut in range(1, SILENT + 1):
            await trio.sleep(chance.uniform(0, 0.1))
            door.cut_on, door.early = places[cut % len(places)]
            await until(lambda cut=cut: door.cuts == cut)
            door.frozen = cut % 4 == 0
            await trio.sleep(7)
            door.frozen = False
            await wait_stored(database)


async def wait_stored(database: str) -> None:
    """Until something more is."""
    count = len(await stored(database))
    with trio.fail_after(30):
        while len(await stored(database)) == count:  # noqa: ASYNC110  # it happens in another process
            await trio.sleep(0.1)


async def test_sessions_that_are_ended_lose_nothing(folder: Path, database: str) -> None:
    """Any of them, at any moment."""
    chance = random.Random(6)

    def end() -> int:
        with psycopg.connect(database, autocommit=True) as connection:
            pids = [row[0] for row in connection.execute(f"SELECT pid {OTHER_SESSIONS}")]
            return len(pids) and bool(connection.execute("SELECT pg_terminate_backend(%s)", (chance.choice(pids),)))

    async with behind_a_door(folder, database, f"{ENDED} sessions ended"):
        ended = 0
        while ended < ENDED:
            await trio.sleep(chance.uniform(0, 0.2))
            ended += await trio.to_thread.run_sync(end)


async def test_a_server_that_stops_in_the_middle_of_a_copy_loses_nothing(folder: Path) -> None:
    """At once, without a word, and is started again."""
    name = f"PostgreSQL stopped {RESTARTS} times in a COPY"
    async with own_server(folder / "server") as server, behind_a_door(folder, server.conninfo, name) as door:
        for _ in range(RESTARTS):
            copying = trio.Event()
            door.heard = lambda data, copying=copying: copying.set() if b"COPY websocket_data" in data else None
            with trio.fail_after(30):
                await copying.wait()
            door.heard = lambda data: None
            before = postmaster(folder / "server")
            os.kill(before, signal.SIGQUIT)
            await until(lambda before=before: is_succeeded(server, folder / "server", before))


@asynccontextmanager
async def own_server(data_dir: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A server that is started again whenever it stops."""
    async with open_embedded(data_dir, max_connections=60, settings=SETTINGS) as server, trio.open_nursery() as nursery:
        nursery.start_soon(keep_alive, server.run)
        yield server
        nursery.cancel_scope.cancel()


async def keep_alive(run: Callable[[], Awaitable[Any]]) -> None:
    """For ever."""
    while True:
        try:
            await run()
        except Ended:
            continue


def is_succeeded(server: EmbeddedPostgres, data_dir: Path, before: int) -> bool:
    """Whether another server is up in the place of that one."""
    with suppress(FileNotFoundError, ValueError):  # it does not say so yet
        return server.is_up and postmaster(data_dir) != before
    return False
