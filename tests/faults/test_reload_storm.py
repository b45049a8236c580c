"""The config changes ten times a second, a third of it broken, while a numbered stream flows through."""

from __future__ import annotations

import signal
from pathlib import Path

import trio

from ..service.reloads import Folder, Origin, connector, polls, reloading
from ..service.running import RunningService
from ..sources.stream_server import serving
from ..web.origin_server import serving as serving_http
from .counting import CONFIG, Counter, Listener
from .holdings import Holdings, holdings, until_held
from .rounds import FULL, rounds, show

CHANGES = rounds(50, full=600)
PAUSE_SECONDS = 0.1
# Each of the three that poll may have a socket to its provider open, or not, and what serves the scrape comes and goes.
SPARE_DESCRIPTORS = 3
SPARE_TASKS = 3
# A thread that had something to do is kept for a few seconds.
SPARE_THREADS = 1
# What many changes leave shows in the memory; what a few leave is less than the machine's noise.
GROWTH = 1.05 if FULL else 1.25


def watchers(service: RunningService) -> list[str]:
    """What the process watches files with."""
    opened = [path.readlink() for path in Path(f"/proc/{service.process.pid}/fd").iterdir() if path.is_symlink()]
    return [str(one) for one in opened if "inotify" in str(one)]


def nothing_leaked(before: Holdings, now: Holdings) -> bool:
    """Whether it holds no more than before, but for what comes and goes."""
    return (
        now.descriptors <= before.descriptors + SPARE_DESCRIPTORS
        and now.strays <= before.strays
        and now.threads <= before.threads + SPARE_THREADS
        and now.tasks <= before.tasks + SPARE_TASKS
    )


async def test_a_storm_of_reloads_costs_those_that_did_not_change_nothing(folder: Path, database: str) -> None:
    """Every number once, in order, over one socket; what did not change keeps its counters; the last good change holds.

    What was opened or begun for a reload is closed and ended again.
    """
    counter, listener, origin, files = Counter(a_second=100), Listener(), Origin(), Folder(folder / "config")
    async with serving(counter.visit) as provider, trio.open_nursery() as nursery:
        with serving_http(origin) as http:
            files.write("connectors/counted.toml", CONFIG.format(url=provider.url))
            files.connectors("kept", connector("kept", http.url))

            def changing(name: str, number: int) -> None:
                files.connectors(name, connector(name, http.url, f'headers = {{X-Number = "{number}"}}'))

            changing("even", 0)
            changing("odd", 0)
            async with reloading(files, database) as service:
                await nursery.start(listener.listen, service.address, "?connectors=counted")
                await listener.until(lambda: len(listener.numbers) > 20)
                before = await polls(service, "kept", 5)
                watching = watchers(service)
                held = await holdings(service, database)
                for number in range(1, CHANGES + 1):
                    if number % 3:
                        changing("even" if number % 2 else "odd", number)
                    else:
                        files.connectors("odd", "[[connectors]]\nconnector_id = ")
                    if number % 10 == 0:
                        service.process.send_signal(signal.SIGHUP)
                    await trio.sleep(PAUSE_SECONDS)
                changing("odd", CHANGES)
                changing("even", CHANGES)
                last = {"X-Number": str(CHANGES)}
                await service.until(
                    "/api/connectors",
                    lambda one: (
                        {"even", "odd"}
                        == {each["connector_id"] for each in one["connectors"] if each["headers"] == last}
                    ),
                )
                status = await service.until("/api/status", lambda one: one["config"]["last_error"] is None)
                assert {one["name"]: one["restarts"] for one in status["actors"] if ":" in one["name"]} == {
                    "connector:counted": 0,
                    "connector:kept": 0,
                    "connector:even": 0,
                    "connector:odd": 0,
                }
                assert service.events("config.refused")
                touched = [name for one in service.events("config.reloaded") for name in one.get("changed", ())]
                assert set(touched) == {"even", "odd"}
                assert await polls(service, "kept", before + 20) > before
                assert watchers(service) == watching
                assert len(watching) == 1
                after = await until_held(service, database, lambda now: nothing_leaked(held, now))
                assert after.megabytes < held.megabytes * GROWTH, (held, after)
                applied, refused = (len(service.events(f"config.{word}")) for word in ("reloaded", "refused"))
                show(
                    f"{CHANGES} changes of the config at ten a second, read together while they came: {applied} times"
                    f" applied, {refused} lines of refusal: {held}; afterwards {after}"
                )
                counter.stopped = True
                await listener.until(lambda: listener.numbers[-1] == counter.said)
            nursery.cancel_scope.cancel()
    assert len(provider.visits) == 1
    assert listener.numbers == list(range(listener.numbers[0], counter.said + 1))
    assert service.events("actor.crashed") == []
