"""Subscribers come and go, read slowly or not at all, while eight APIs are polled: nobody misses what they want."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import websockets
import websockets.frames
import websockets.sync.client

from etl_actors.sandbox.exchange import Sandbox

from .running import never_reading, pointed_config, running

CLIENTS = 20
SECONDS = 6.0
FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"symbols": ["btc", "ETH"]},
    {"connectors": ["coingecko_top", "binance_prices"]},
    {"types": ["data_update"]},
    {"connectors": ["binance_24hr"], "symbols": ["BTC"], "types": ["price_update"]},
)


def wanted(event: Any, asked: dict[str, Any]) -> Any | None:
    """What of an event somebody should get who asked so."""
    if "connectors" in asked and event["connector_id"] not in asked["connectors"]:
        return None
    if "types" in asked and event["type"] not in asked["types"]:
        return None
    if "symbols" in asked:
        symbols = {symbol.upper() for symbol in asked["symbols"]}
        items = [item for item in event["data"].get("items", ()) if (item["coin_symbol"] or "").upper() in symbols]
        return event | {"data": {"items": items}} if items else None
    return event


async def restless(url: str, asked: dict[str, Any], chance: random.Random, heard: list[Any], until: float) -> None:
    """Listens, is cut off at random moments in the middle of anything, and comes back with where it was."""
    place = 0
    while asyncio.get_running_loop().time() < until:
        connection = await websockets.connect(url, max_size=None)
        try:
            subscribed = False
            request = {"op": "subscribe", "id": 1, "sub": "mine", "since": place, **asked}
            await connection.send(json.dumps(request))
            async with asyncio.timeout(chance.uniform(0.02, 1.0)):
                while True:
                    said = json.loads(await connection.recv())
                    if said.get("subs") == ["mine"]:
                        heard.append(said)
                    if said["type"] == "subscribed":
                        subscribed = True
                        assert said["recovered"]
                    elif subscribed and "offset" in said:  # before, all events come
                        place = said["offset"]
        except TimeoutError:
            connection.transport.abort()


async def restless_ones(url: str, heard: list[list[Any]]) -> None:
    """All of them at once."""
    until = asyncio.get_running_loop().time() + SECONDS
    async with asyncio.TaskGroup() as group:
        for number, mine in enumerate(heard):
            asked = FILTERS[number % len(FILTERS)]
            group.create_task(restless(url, asked, random.Random(number), mine, until))


def history(url: str) -> list[Any]:
    """Everything that is stored."""
    with websockets.sync.client.connect(f"{url}?since=0", max_size=None) as connection:
        newest = json.loads(connection.recv(timeout=20))["offset"]
        events: list[Any] = []
        while not events or events[-1]["offset"] < newest:
            said = json.loads(connection.recv(timeout=20))
            events += [said] if "id" in said else []
        return events


async def test_whoever_comes_back_has_missed_nothing(sandbox: Sandbox, folder: Path) -> None:
    """Cut off at random while batches are committed: what each saw, in all, is what is stored, once and in order."""
    config = pointed_config(folder / "config", sandbox.origins, interval=0.2)
    heard: list[list[Any]] = [[] for _ in range(CLIENTS)]
    async with running(config, folder / "data") as service:
        url = service.address.replace("http", "ws") + "/ws"
        await trio.to_thread.run_sync(partial(asyncio.run, restless_ones(url, heard)))
        stored = await trio.to_thread.run_sync(history, url)
        assert await service.stop() == 0
    assert [one["offset"] for one in stored] == list(range(1, len(stored) + 1))
    assert len(stored) > 30
    for number, mine in enumerate(heard):
        asked = FILTERS[number % len(FILTERS)]
        last = mine[-1]["offset"]
        expected = [kept for one in stored if one["offset"] <= last and (kept := wanted(one, asked)) is not None]
        assert [one["offset"] for one in mine] == [one["offset"] for one in expected], (number, asked)
        for one, other in zip(mine, expected, strict=True):
            assert one == other | {"subs": ["mine"]}, (number, asked)


async def test_a_socket_that_never_reads_costs_the_others_nothing(sandbox: Sandbox, folder: Path) -> None:
    """Whatever its policy and filter: the others get every event, its memory is bounded, and the stop is in time."""
    buffer = 200_000
    config = pointed_config(
        folder / "config", sandbox.origins, interval=0.2, service=f"[live]\nsubscriber_buffer_bytes = {buffer}\n"
    )
    with contextlib.ExitStack() as open_sockets:
        async with running(config, folder / "data") as service:
            for policy in ("disconnect", "conflate", "drop_oldest"):
                for query in ("", "&symbols=BTC,ETH,SOL", "&since=0", "&batch=true"):
                    open_sockets.enter_context(never_reading(service, f"/ws?policy={policy}{query}"))
            offsets = await trio.to_thread.run_sync(listen, service.address, SECONDS)
            assert offsets == list(range(offsets[0], offsets[-1] + 1))
            subscribers = (await service.get("/api/status"))["subscribers"]
            assert subscribers["too_slow"] >= 2
            assert subscribers["dropped"] > 0
            # Two events may always wait, and the largest here is that of all pairs.
            assert subscribers["waiting_bytes"] < 12 * (buffer + 2 * 200_000)
            assert await service.stop() == 0


async def test_a_slow_reader_is_told_what_it_missed(sandbox: Sandbox, folder: Path) -> None:
    """With ``drop_oldest`` every offset is there or in a notice, in order; with ``conflate`` offsets rise."""
    config = pointed_config(
        folder / "config", sandbox.origins, interval=0.1, service="[live]\nsubscriber_buffer_bytes = 100000\n"
    )
    async with running(config, folder / "data") as service:
        heard = await trio.to_thread.run_sync(read_slowly, service.address + "/ws?policy=drop_oldest")
        conflated = await trio.to_thread.run_sync(read_slowly, service.address + "/ws?policy=conflate")
        assert await service.stop() == 0
    accounted: list[int] = []
    for one in heard:
        if one["type"] == "dropped":
            accounted += range(one["data"]["from_offset"], one["data"]["to_offset"] + 1)
            assert one["data"]["to_offset"] - one["data"]["from_offset"] + 1 == one["data"]["count"]
        elif "id" in one:
            accounted.append(one["offset"])
    assert accounted == list(range(accounted[0], accounted[-1] + 1))
    assert any(one["type"] == "dropped" for one in heard)
    offsets = [one["offset"] for one in conflated if "id" in one]
    assert offsets == sorted(set(offsets))
    assert len(offsets) < offsets[-1] - offsets[0] + 1


async def test_a_socket_is_told_why_it_ends(sandbox: Sandbox, folder: Path) -> None:
    """1013 for one too slow for its buffer, after what waited; 1001 for all others when the service stops."""
    config = pointed_config(
        folder / "config", sandbox.origins, interval=0.1, service="[live]\nsubscriber_buffer_bytes = 100000\n"
    )
    async with running(config, folder / "data") as service:
        url = service.address.replace("http", "ws") + "/ws"
        with (
            websockets.sync.client.connect(url, max_size=None, max_queue=1, ping_interval=None) as slow,
            websockets.sync.client.connect(f"{url}?types=none", ping_interval=None) as quiet,
        ):
            await trio.to_thread.run_sync(slow.recv)  # from now on it is the kernel's buffers that fill first
            await service.until("/api/status", lambda status: status["subscribers"]["too_slow"] == 1)
            offsets, closed = await trio.to_thread.run_sync(read_to_the_end, slow)
            assert offsets == list(range(offsets[0], offsets[-1] + 1))
            assert closed.code == 1013
            assert "slow" in closed.reason
            assert await service.stop() == 0
            assert (await trio.to_thread.run_sync(read_to_the_end, quiet))[1].code == 1001


def read_to_the_end(connection: websockets.sync.client.ClientConnection) -> tuple[list[int], websockets.frames.Close]:
    """The offsets of the events that still come, and what the socket was closed with."""
    heard: list[Any] = []
    with pytest.raises(websockets.ConnectionClosed) as closed:
        heard.extend(iter(partial(connection.recv, timeout=20), None))
    assert closed.value.rcvd is not None
    return [said["offset"] for said in map(json.loads, heard) if "id" in said], closed.value.rcvd


def read_slowly(address: str) -> list[Any]:
    """Read nothing for a while, then everything that waits."""
    with websockets.sync.client.connect(
        address.replace("http", "ws"), max_size=None, max_queue=1, ping_interval=None
    ) as connection:
        heard = [json.loads(connection.recv(timeout=20))]
        time.sleep(SECONDS)
        with contextlib.suppress(TimeoutError):
            heard.extend(json.loads(connection.recv(timeout=5)) for _ in range(60))
        return heard


def listen(address: str, seconds: float) -> list[int]:
    """The offsets of the events that come in so long."""

    async def hear() -> list[int]:
        offsets: list[int] = []
        async with websockets.connect(address.replace("http", "ws") + "/ws", max_size=None) as connection:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while True:
                        said = json.loads(await connection.recv())
                        offsets += [said["offset"]] if "id" in said else []
        return offsets

    return asyncio.run(hear())
