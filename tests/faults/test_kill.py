"""``kill -9`` at any moment: nothing that was answered, committed or heard is lost, nothing comes twice.

What runs meanwhile: a connector with a cursor, a stream, uploads, and a subscriber that comes back with ``since``. A
quarter of the kills come before the service is ready.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter as Multiset
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psycopg
import pytest
import trio

from etl_actors.storage.embedded import running_conninfo

from ..service.reloads import Folder
from ..service.running import running, until_no_postgres
from ..sources.providers import provider
from ..sources.stream_server import serving
from .counting import CONFIG, Counter, Listener
from .growing import ROWS, Rows, Stored
from .rounds import FULL, rounds, show

KILLS = rounds(4, full=100)
LATE = rounds(2, full=20)
READY_SECONDS = 5.0 if FULL else 30.0
UPLOADED = 20
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
PART = '--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n{content}\r\n--b--\r\n'


class Follower(Listener):
    """Hears everything, over one life of the service after the other."""

    async def follow(self, address: str) -> None:
        """Until the service is gone."""
        since = max(self.log, default=0)
        with suppress(OSError):
            await self.listen(address, f"?since={since}")

    @property
    def log(self) -> dict[int, str]:
        """The id of each event, by its offset; as often as it was heard, which is to be once."""
        entries = [(one["offset"], one["id"]) for one in self.heard if one.get("id") and one.get("offset")]
        assert len({offset for offset, _ in entries}) == len(entries), "an event was heard twice"
        assert entries == sorted(entries), "events were heard out of order"
        return dict(entries)


class Whole(httpx.AsyncByteStream):
    """A body that leaves nothing behind when it is not read to its end; httpx's own is a generator, which does."""

    def __init__(self, body: bytes) -> None:
        self._left = [body]

    def __aiter__(self) -> Whole:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


class Uploader:
    """Uploads one small file after the other, and notes which were answered."""

    def __init__(self) -> None:
        self.sent = 0
        self.answered: list[str] = []

    async def upload(self, client: httpx.AsyncClient) -> None:
        """Until the service is gone."""
        with suppress(httpx.HTTPError):
            while True:
                self.sent += 1
                name = f"{self.sent}.csv"
                rows = "".join(f"{self.sent * 1000 + row}\n" for row in range(UPLOADED))
                body = PART.format(name=name, content="n\n" + rows).encode()
                request = client.build_request("POST", "/api/data/upload", content=body, headers=MULTIPART)
                request.stream = Whole(body)
                answer = await client.send(request)
                if answer.status_code == 201:
                    self.answered.append(name)
                await trio.sleep(0.02)


class Scene:
    """A service that is killed and started again, on the same folder."""

    def __init__(self, folder: Path, environment: Mapping[str, str], seed: int) -> None:
        self.chance = random.Random(seed)
        self.follower, self.uploader = Follower(), Uploader()
        self.ready_seconds: list[float] = []
        self._folder = folder
        self._environment = environment

    async def live(self, seconds: float) -> None:
        """One life, from its first moment on."""
        if self.chance.random() < 0.25:
            # Whoever is left in the middle is killed by ``running`` itself.
            with trio.move_on_after(self.chance.uniform(0.02, 2.0)):
                async with self.running():
                    await trio.sleep_forever()
        else:
            began = time.monotonic()
            async with self.running() as service, trio.open_nursery() as nursery:
                self.ready_seconds.append(time.monotonic() - began)
                nursery.start_soon(self.follower.follow, service.address)
                nursery.start_soon(self.uploader.upload, service.client)
                await trio.sleep(seconds)
                await service.stop(signal.SIGKILL)
                nursery.cancel_scope.cancel()
        if self.chance.random() < 0.5:
            # Else the next one starts beside what the last one left.
            await until_no_postgres(self._folder)

    def running(self) -> Any:
        """A life of it."""
        return running(self._folder / "config", self._folder / "data", environment=self._environment)

    async def settle(self, rows: Rows, counter: Counter, database: str | None) -> Stored:
        """The last life: everything is stored, and the follower has heard it."""
        async with self.running() as service, trio.open_nursery() as nursery:
            nursery.start_soon(self.follower.follow, service.address)
            counter.stopped = rows.stopped = True
            conninfo = running_conninfo(self._folder / "data") if database is None else database
            assert conninfo is not None
            with trio.fail_after(60):
                while True:
                    await trio.sleep(0.5)
                    stored = await trio.to_thread.run_sync(Stored, conninfo)
                    # What is said meanwhile is heard a moment later.
                    if len(stored.rows) >= rows.last and max(self.follower.log, default=0) >= stored.offsets[-1]:
                        break
            assert await service.stop() == 0
            nursery.cancel_scope.cancel()
        await until_no_postgres(self._folder)
        return stored


def heard_whole(scene: Scene, stored: Stored, rows: Rows, where: str) -> dict[int, str]:
    """What the follower heard, by offset: all that is stored, and that is all that was said, once and in order."""
    assert stored.rows == list(range(1, rows.last + 1)), where
    assert len(stored.counted) == len(set(stored.counted)), where
    assert stored.counted == sorted(stored.counted), where
    assert stored.offsets == list(range(1, len(stored.offsets) + 1)), where
    heard = {offset: name for offset, name in scene.follower.log.items() if offset <= stored.offsets[-1]}
    assert list(heard) == list(range(1, stored.offsets[-1] + 1)), where
    assert list(heard.values()) == stored.ids, where
    return heard


@pytest.mark.parametrize("server", ["external", "embedded"])
async def test_killed_at_any_moment_it_loses_nothing_and_stores_nothing_twice(
    server: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    """The rows are 1 to n in order, each upload that was answered is there once, and the log has no hole."""
    database = request.getfixturevalue("database") if server == "external" else None
    seed = random.randrange(2**32)
    rows, counter = Rows(), Counter(a_second=100)
    environment = {} if database is None else {"DATABASE_URL": database}
    scene = Scene(folder, environment, seed)
    async with provider(rows.script) as url, serving(counter.visit) as streams:
        Folder(folder / "config").connectors("numbered", ROWS.format(url=url), CONFIG.format(url=streams.url))
        for _ in range(KILLS):
            await scene.live(scene.chance.uniform(0, 1.5))
        stored = await scene.settle(rows, counter, database)
    where = f"seed {seed}"
    heard = heard_whole(scene, stored, rows, where)
    files = Multiset(name for name, _ in stored.files)
    assert set(files.values()) <= {1}, where
    assert set(scene.uploader.answered) <= set(files), where
    assert {many for _, many in stored.files} <= {UPLOADED}, where
    ready = sorted(scene.ready_seconds)
    assert ready[-1] < READY_SECONDS, where
    show(
        f"kill -9, {server} PostgreSQL: {KILLS} kills; {len(stored.rows):,} rows of the cursor, {len(stored.counted):,}"
        f" frames, {len(files):,} uploads, {len(heard):,} events heard: lost 0, twice 0;"
        f" ready in {ready[0]:.2f} / {median(ready):.2f} / {ready[-1]:.2f} s (least, median, most)"
    )


async def test_a_commit_that_lands_after_the_death_of_its_service_counts(folder: Path, database: str) -> None:
    """It waits for a lock at the server when the service is killed, and goes through while the next one starts."""
    rows, counter = Rows(), Counter(a_second=100)
    scene = Scene(folder, {"DATABASE_URL": database}, seed=8)
    landed: list[str] = []
    async with provider(rows.script) as url, serving(counter.visit) as streams:
        Folder(folder / "config").connectors("numbered", ROWS.format(url=url), CONFIG.format(url=streams.url))
        for _ in range(LATE):
            with psycopg.connect(database) as holding, psycopg.connect(database, autocommit=True) as looking:
                async with scene.running() as service:
                    await trio.sleep(scene.chance.uniform(0.3, 1))
                    holding.execute("SELECT FROM stream FOR UPDATE")
                    transaction = await waiting_transaction(looking)
                    await service.stop(signal.SIGKILL)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(let_go, holding, scene.chance.uniform(0, 1))
                    await scene.live(1)
                landed += [row[0] for row in looking.execute("SELECT pg_xact_status(%s::xid8)", (transaction,))]
        stored = await scene.settle(rows, counter, database)
    assert landed == ["committed"] * LATE
    heard_whole(scene, stored, rows, "seed 8")
    show(f"killed {LATE} times with a COMMIT under way, which landed while the next one started: lost 0, twice 0")


async def waiting_transaction(looking: psycopg.Connection[Any]) -> str:
    """The id of the transaction that waits for the row of the stream, once one does."""
    query = (
        "SELECT backend_xid::text FROM pg_stat_activity WHERE query LIKE '%finish_batch%' AND wait_event_type = 'Lock'"
    )
    with trio.fail_after(30):
        while not (found := looking.execute(query).fetchall()):  # noqa: ASYNC110  # another process does it
            await trio.sleep(0.01)
    return str(found[0][0])


async def let_go(holding: psycopg.Connection[Any], seconds: float) -> None:
    """Give the lock back, after a while."""
    await trio.sleep(seconds)
    holding.rollback()
