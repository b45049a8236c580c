"""One provider means harm, in every way that is known; the others go on as if it were not there."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import trio

from etl_actors.metrics import watch_loop

from ..child import command
from ..service.reloads import Folder, connector
from ..service.running import RunningService, running
from ..sources.stream_server import serving
from .counting import CONFIG, Counter, Listener
from .hostile import OVER_HTTP, OVER_SOCKETS
from .rounds import FULL, show

SHORT = ("endless", "slow_body", "gzip_bomb", "many_headers", "giant_frame", "endless_fragments")
SECONDS = 6.0 if FULL else 2.0
QUIET_SECONDS = 20.0 if FULL else 4.0
# Of what the service says of a provider that answers within every rule, however strange.
SOUND = frozenset({"endless_without_length", "length_and_chunked", "no_pong", "pings"})

HEALTHY = CONFIG.replace("counted", "healthy") + 'sent = "t"\n'
FOLLOWED = """
[[connectors]]
connector_id = "hostile"
kind = "websocket"
url = "ws://127.0.0.1:{port}/{name}"
heartbeat = {{ idle_timeout_seconds = 2 }}
[connectors.items]
single = true
coin_symbol = "'X'"
"""


class Stamped(Counter):
    """Says with each number when it does."""

    def frame(self, number: int) -> dict[str, Any]:
        return super().frame(number) | {"t": time.time()}


class Timed(Listener):
    """Notes how late each event was; ``lags`` are those since it was asked last."""

    def __init__(self) -> None:
        super().__init__()
        self._seen = 0
        self._lags: list[float] = []

    async def watch(self) -> None:
        """For ever."""
        while True:
            now, events = time.time(), self.heard[self._seen :]
            self._seen += len(events)
            self._lags += [
                now - item["extra"]["sent"]
                for one in events
                if one["type"] == "price_update"
                for item in one["data"]["items"]
            ]
            await trio.sleep(0.005)

    def p99(self) -> float:
        """Of what came since the last call, in seconds."""
        lags, self._lags = sorted(self._lags), []
        return lags[int(len(lags) * 0.99)] if lags else float("inf")


@contextmanager
def hostile_process() -> Iterator[int]:
    """The port of the providers that mean harm."""
    with subprocess.Popen(
        command("tests.faults.hostile"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()


class Held:
    """How often a loop was held for more than 50 ms, since it was asked last: that of the service, by its metrics."""

    def __init__(self, service: RunningService) -> None:
        self._service = service
        self._before = 0

    async def times(self) -> int:
        """So often."""
        text = (await self._service.client.get("/metrics")).text
        found = dict(re.findall(r'etl_event_loop_lag_seconds_bucket\{le="([^"]+)"\} ([\d.]+)', text))
        now = int(float(found["+Inf"]) - float(found["0.05"]))
        held, self._before = now - self._before, now
        return held


async def watch_memory(service: RunningService, resident: list[float]) -> None:
    """What the service takes, in megabytes, again and again."""
    while True:
        resident.append(service.resident_megabytes())
        await trio.sleep(0.02)


@asynccontextmanager
async def scene(folder: Path, database: str) -> AsyncIterator[tuple[RunningService, Folder, Timed]]:
    """A service with a healthy stream and somebody who listens; nothing of that stream is lost in the end."""
    stamped, listener, files = Stamped(a_second=50), Timed(), Folder(folder / "config")
    async with serving(stamped.visit) as provider:
        files.write("connectors/healthy.toml", HEALTHY.format(url=provider.url))
        environment = {"DATABASE_URL": database}
        async with (
            running(folder / "config", folder / "data", environment=environment) as service,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(listener.listen, service.address, "?connectors=healthy")
            nursery.start_soon(listener.watch)
            yield service, files, listener
            stamped.stopped = True
            await listener.until(lambda: listener.numbers[-1] == stamped.said)
            assert listener.numbers == list(range(listener.numbers[0], stamped.said + 1))
            status = await service.get("/api/status")
            restarts = {one["name"]: one["restarts"] for one in status["actors"]}
            assert restarts["connector:healthy"] == 0
            assert len(provider.visits) == 1
            assert await service.stop() == 0
            nursery.cancel_scope.cancel()
        log = service.log.read_text()
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]


async def harmed(service: RunningService, files: Folder, name: str, port: int) -> str | None:
    """Have the service read that provider for a while; what it says of it."""
    if name in OVER_SOCKETS:
        files.write("connectors/hostile.toml", FOLLOWED.format(name=name, port=port))
    else:
        text = connector("hostile", f"http://127.0.0.1:{port}/{name}", "timeout_seconds = 2", interval=0.5)
        files.write("connectors/hostile.toml", text.replace('/hostile"', '"'))
    await service.until(
        "/api/connectors", lambda one: any(each["url"].endswith(f"/{name}") for each in one["connectors"])
    )
    await trio.sleep(SECONDS)
    status = await service.get("/api/connectors/hostile/status")
    error: str | None = status["last_error"]
    return error


async def test_a_hostile_provider_harms_nobody_else(folder: Path, database: str) -> None:
    """What it does is told in one sentence; the healthy stream loses nothing, and is hardly later than before."""
    names = [name for name in (*OVER_HTTP, *OVER_SOCKETS) if FULL or name in SHORT]
    with hostile_process() as port:
        async with scene(folder, database) as (service, files, listener), trio.open_nursery() as nursery:
            own: list[float] = []
            resident = [0.0]
            # What the machine does to a loop that has next to nothing to do: this one.
            nursery.start_soon(watch_loop, own.append)
            nursery.start_soon(watch_memory, service, resident)
            held = Held(service)
            await trio.sleep(2)
            listener.p99()
            await held.times()
            await trio.sleep(QUIET_SECONDS)
            quiet, before, held_before = listener.p99(), service.resident_megabytes(), await held.times()
            worst = most = 0.0
            held_in_all = 0
            own.clear()
            for name in names:
                said = await harmed(service, files, name, port)
                lag, memory, times = listener.p99(), max(resident), await held.times()
                worst, most, held_in_all = max(worst, lag), max(most, memory), held_in_all + times
                late = sum(one > 0.05 for one in own)
                own.clear()
                resident[:] = [0.0]
                show(
                    f"{name}: p99 {lag * 1000:.0f} ms, {memory:.0f} MB, held over 50 ms {times} times"
                    f" (a loop beside it {late} times); {said}"
                )
                assert name in SOUND or (said is not None and "\n" not in said and len(said) < 400), name
            show(
                f"{len(names)} hostile providers: p99 lag {quiet * 1000:.0f} ms quiet, {worst * 1000:.0f} ms at worst;"
                f" {before:.0f} MB before, {most:.0f} MB at most; the loop held over 50 ms {held_in_all} times"
                f" ({held_before} while it was quiet)"
            )
            files.write("connectors/hostile.toml", connector("hostile", f"http://127.0.0.1:{port}", interval=0.5))
            await service.until(
                "/api/connectors/hostile/status",
                lambda one: one["state"] == "running" and one["consecutive_failures"] == 0,
            )
            nursery.cancel_scope.cancel()
    if FULL:
        assert worst - quiet < 0.25
        assert most - before < 64
    assert most - before < 150
