"""Does anything grow, or get lost, when it runs for an hour and everything around it goes wrong now and then?

The eight shipped connectors at one second against the sandbox, a numbered stream beside them, and 100 subscribers: most
of them never leave, some read slowly, some come and go with `since`. Every few seconds one of these, by a seed:
providers that fail in some way, a database that is away for up to 8 s, all its sessions ended, a changed config file,
an upload. Once a minute a line: resident memory, descriptors, threads, database sessions, and what was said.

The verdict compares the median of the second sixth of the run (the first is for warming up) with that of the last one:
flat is within 5 %, or within two pieces. Whoever never left and asked for the numbered stream must have heard every
number once, in order; whoever came and went, every number at least once; the table must hold them once, in order, but
for the oldest, which retention takes away meanwhile.

    python bench/soak.py [MINUTES [SEED]]
"""

from __future__ import annotations

import random
import re
import shutil
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median

import httpx
import psycopg
import trio
from trio_websocket import ConnectionClosed, HandshakeError, open_websocket_url

sys.path.insert(0, str(Path(__file__).parents[1]))

from etl_actors.sandbox.exchange import Sandbox, serve_sandbox
from etl_actors.sandbox.faults import Kind
from etl_actors.storage.embedded import open_embedded
from tests.faults.counted import stored
from tests.faults.counting import CONFIG, Counter
from tests.faults.holdings import OTHER_SESSIONS, holdings
from tests.postgres import reachable_folder
from tests.service.running import RunningService, pointed_config, running
from tests.sources.stream_server import serving
from tests.storage.relay import Relay, open_relay

SERVICE = "[retention]\nmax_bytes = 120_000_000\n"
A_SECOND = 50.0
MARKETS = (
    "binance_prices,binance_24hr,coinbase_ticker,coingecko_global,coingecko_top,coingecko_trending,cryptocompare_multi,"
    "cryptocompare_top,kraken_ticker"
)
NUMBER, OFFSET = re.compile(r'"number": ?(\d+)'), re.compile(r'"offset": ?(\d+)')
PROVIDER_FAULTS: tuple[Kind, ...] = (
    "429",
    "500",
    "503",
    "stall",
    "slow",
    "cut",
    "garbage",
    "html",
    "error_object",
    "reset",
)
FLAT, FEW = 0.05, 2


class Subscriber:
    """One of the hundred. It ``stays`` for about so many seconds, and rests for a ``pause`` after each frame."""

    def __init__(self, query: str, *, stays: float = float("inf"), pause: float = 0.0) -> None:
        self.query = query
        self.numbers: list[int] = []
        self.events = self.leaves = 0
        self.trouble: list[str] = []
        self._stays = stays
        self._pause = pause
        self._offset: str | None = None

    @property
    def leaves_often(self) -> bool:
        return self._stays < float("inf")

    async def subscribe(self, address: str, chance: random.Random) -> None:
        """Until cancelled, over one socket after the other."""
        began = trio.current_time()
        while True:
            since = f"&since={self._offset}" if self._offset else ""
            why: Exception | None = None
            with trio.move_on_after(self._stays * chance.uniform(0.3, 1.7)):
                try:
                    await self._listen(f"{address.replace('http', 'ws')}/ws?{self.query}{since}")
                except (OSError, HandshakeError, ConnectionClosed) as error:
                    why = error
            self.leaves += 1
            if not self.leaves_often:
                after = trio.current_time() - began
                self.trouble.append(f"{self.query}: its socket was closed after {after:.0f} s: {why!r}")
            await trio.sleep(0.2)

    async def _listen(self, url: str) -> None:
        async with open_websocket_url(url, max_message_size=2**26) as socket:
            while True:
                self._hear(await socket.get_message())
                if self._pause:
                    await trio.sleep(self._pause)

    def _hear(self, text: str) -> None:
        if text.startswith('{"type":"price_update"'):
            self.events += 1
            if (offset := OFFSET.search(text[:200])) is not None:
                self._offset = offset[1]
            if '"connector_id":"counted"' in text[:100]:
                self.numbers.extend(map(int, NUMBER.findall(text)))
        elif text.startswith('{"type":"dropped"') and not self._pause:
            self.trouble.append(f"{self.query}: {text[:200]}")


def made_subscribers() -> list[Subscriber]:
    """The hundred."""
    return [
        *(Subscriber("types=price_update&connectors=counted") for _ in range(40)),
        *(Subscriber(f"symbols={symbol}&policy=conflate") for symbol in ("BTC", "ETH", "SOL") for _ in range(10)),
        *(Subscriber("connectors=binance_prices,coingecko_top") for _ in range(10)),
        *(Subscriber(f"policy=drop_oldest&connectors={MARKETS}", pause=1.0) for _ in range(10)),
        *(Subscriber("types=price_update&connectors=counted", stays=15.0) for _ in range(10)),
    ]


class Readings:
    """What was measured, a row a minute."""

    NAMES = ("MB", "descriptors", "threads", "sessions", "tasks")

    def __init__(self) -> None:
        self.rows: list[tuple[float, ...]] = []

    async def take(self, service: RunningService, conninfo: str) -> tuple[float, ...]:
        """One row; each of it is the median of a few, seconds apart."""
        samples = []
        for _ in range(5):
            now = await holdings(service, conninfo)
            # All of its memory, the newest events too: an hour is long enough for these to reach their limit.
            memory, descriptors = service.resident_megabytes(), now.descriptors + now.sessions
            samples.append((memory, descriptors, now.threads, now.sessions, now.tasks))
            await trio.sleep(2)
        self.rows.append(tuple(median(one) for one in zip(*samples, strict=True)))
        return self.rows[-1]

    def verdict(self) -> list[str]:
        """What is not flat."""
        sixth = max(1, len(self.rows) // 6)
        found = []
        for place, name in enumerate(self.NAMES):
            before = median(row[place] for row in self.rows[sixth : 2 * sixth] or self.rows)
            after = median(row[place] for row in self.rows[-sixth:])
            grown = after / before - 1
            print(f"{name}: {before:.0f} -> {after:.0f} ({grown:+.1%})")
            # Pools open a connection more or less, and a worker thread stays a while: that is no growth.
            if grown > FLAT and (name == "MB" or after - before > FEW):
                found.append(f"{name} grew by {grown:.1%}")
        return found


class Trouble:
    """What goes wrong, and how often it did."""

    def __init__(self, sandbox: Sandbox, relay: Relay, conninfo: str, config: Path, chance: random.Random) -> None:
        self.counts: dict[str, int] = {}
        self._sandbox = sandbox
        self._relay = relay
        self._conninfo = conninfo
        self._config = config
        self._chance = chance

    async def make(self, service: RunningService) -> None:
        """For ever, something every few seconds."""
        upload = partial(self._uploaded, service.client)
        kinds: list[Callable[[], Awaitable[None]]] = [self._provider, self._away, self._ended, self._changed, upload]
        while True:
            await trio.sleep(self._chance.uniform(4, 16))
            await self._chance.choice(kinds)()

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    async def _provider(self) -> None:
        kind = self._chance.choice(PROVIDER_FAULTS)
        self._sandbox.set_fault("*", kind, seconds=self._chance.uniform(1, 6), retry_after=1)
        self._count("providers failed")

    async def _away(self) -> None:
        self._relay.shut()
        await trio.sleep(self._chance.uniform(0.5, 8))
        self._relay.open()
        self._count("database away")

    async def _ended(self) -> None:
        def end() -> None:
            with psycopg.connect(self._conninfo, autocommit=True) as connection:
                connection.execute(f"SELECT pg_terminate_backend(pid) {OTHER_SESSIONS}")

        await trio.to_thread.run_sync(end)
        self._count("sessions ended")

    async def _changed(self) -> None:
        path = self._config / "connectors" / "changing.toml"
        interval = self._chance.choice(("1.0", "2.0", "wrong"))
        path.write_text(
            "[[connectors]]\nconnector_id = 'changing'\n"
            f"url = '{self._sandbox.origins['https://api.binance.com']}/api/v3/ticker/price'\n"
            f"interval_seconds = {interval}\n",
            encoding="utf-8",
        )
        self._count("config changed")

    async def _uploaded(self, client: httpx.AsyncClient) -> None:
        rows = "".join(f"{number},x\n" for number in range(2000))
        with suppress(httpx.HTTPError):
            await client.post("/api/data/upload", files={"file": ("soak.csv", "number,name\n" + rows)})
        self._count("uploads")


def lost(subscribers: list[Subscriber], numbers: list[int], said: int) -> list[str]:
    """What does not fit together."""
    found = [trouble for one in subscribers for trouble in one.trouble][:10]
    # Retention takes the oldest away, which is what it is for.
    if not numbers or numbers != list(range(numbers[0], said + 1)):
        found.append(f"the table holds {len(numbers)} numbers of {said}, {len(set(numbers))} of them different")
    for one in subscribers:
        if "counted" in one.query:
            heard = sorted(set(one.numbers)) if one.leaves_often else one.numbers
            if not heard or heard != list(range(heard[0], said + 1)):
                found.append(f"{one.query} (left {one.leaves} times) did not hear every number")
    return found


async def soak(minutes: int, seed: int) -> list[str]:
    """The whole of it; what is not as it should be."""
    chance, folder, counter = random.Random(seed), reachable_folder(), Counter(a_second=A_SECOND)
    subscribers, readings = made_subscribers(), Readings()
    try:
        async with (
            trio.open_nursery() as outside,
            open_embedded(folder / "database", max_connections=60) as server,
            open_relay(server.conninfo) as relay,
            serving(counter.visit) as provider,
        ):
            sandbox: Sandbox = await outside.start(partial(serve_sandbox, pairs=200))
            config = pointed_config(folder / "config", sandbox.origins, interval=1.0, service=SERVICE)
            (config / "connectors" / "counted.toml").write_text(CONFIG.format(url=provider.url), encoding="utf-8")
            environment = {"DATABASE_URL": relay.conninfo}
            async with running(config, folder / "data", environment=environment) as service:
                trouble = Trouble(sandbox, relay, server.conninfo, config, chance)
                async with trio.open_nursery() as inside:
                    for one in subscribers:
                        inside.start_soon(one.subscribe, service.address, random.Random(chance.random()))
                    async with trio.open_nursery() as troubles:
                        troubles.start_soon(trouble.make, service)
                        started = trio.current_time()
                        for minute in range(1, minutes + 1):
                            await trio.sleep_until(started + 60 * minute - 10)
                            row = await readings.take(service, server.conninfo)
                            shown = ", ".join(
                                f"{value:.0f} {of}" for value, of in zip(row, Readings.NAMES, strict=True)
                            )
                            print(f"minute {minute}: {shown}; {counter.said:,} said; {trouble.counts}", flush=True)
                        troubles.cancel_scope.cancel()
                    relay.open()
                    sandbox.clear_faults()
                    await service.until("/api/status", lambda status: status["spool"]["batches"] == 0, seconds=60)
                    counter.stopped = True
                    await trio.sleep(10)
                    inside.cancel_scope.cancel()
                code = await service.stop(seconds=60)
            numbers = [number for _, _, number in await stored(server.conninfo) if number is not None]
            outside.cancel_scope.cancel()
        log = (folder / "data.log").read_text(encoding="utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    events, leaves = sum(one.events for one in subscribers), sum(one.leaves for one in subscribers)
    print(f"{events:,} events heard, {leaves:,} subscribers came back, exit {code}")
    found = readings.verdict() + lost(subscribers, numbers, counter.said)
    if code != 0:
        found.append(f"it ended with {code}")
    print(f"partitions dropped: {log.count('retention.partition_dropped')}")
    found += [f"a traceback in the log: {log.count('Traceback')}"] if "Traceback" in log else []
    return found


if __name__ == "__main__":
    wrong = trio.run(soak, int(sys.argv[1]) if len(sys.argv) > 1 else 60, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print("\n".join(wrong) or "flat, and nothing lost")
    sys.exit(bool(wrong))
