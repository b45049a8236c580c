"""Streams through the whole service: every frame is stored once, in order, however often the line breaks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio

from ..config import recordings as recorded
from ..sources.stream_server import Visit, refusing, serving
from .running import RunningService, running

CONFIG = """
[[connectors]]
connector_id = "feed"
kind = "websocket"
source_id = "binance"
url = "{url}/stream"
message_type = "data.e"
ignore = "!data"
{more}
[[connectors.handshake]]
send = {{ method = "SUBSCRIBE", params = ["a"], id = 1 }}
expect = "id == `1`"
timeout_seconds = 2
[connectors.items]
each = "data"
single = true
skip = "!(p || b && B)"
coin_symbol = "s"
price = "p || b"
[connectors.items.extra]
number = "t || u"
"""


class Feed:
    """Frames that flow one by one; a socket that comes while another is there joins, one that comes after goes on.

    ``drops`` are the numbers of frames after which the connection is dropped without a word, ``goodbye`` that of the
    one behind which the end is announced.
    """

    def __init__(
        self, frames: Sequence[str], *, drops: Sequence[int] = (), goodbye: int | None = None, pause: float = 0.002
    ) -> None:
        self.frames = frames
        self.drops = set(drops)
        self.goodbye = goodbye
        self.pause = pause
        self.said = 0
        self.dropped = 0
        self.present = 0

    async def visit(self, visit: Visit) -> None:
        """One socket."""
        await visit.accept()
        assert await visit.hear() == {"method": "SUBSCRIBE", "params": ["a"], "id": 1}
        at = self.said
        self.present += 1
        try:
            await visit.say({"result": None, "id": 1})
            while True:
                if at == self.said and self.said < len(self.frames):
                    self.said += 1  # whoever comes to the end of what was said says the next
                if at < self.said:
                    await visit.say(self.frames[at])
                    at += 1
                    if at == self.goodbye:
                        self.goodbye = None
                        await visit.say({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}})
                    if at in self.drops:
                        self.drops.discard(at)
                        self.dropped += 1
                        self.said = at
                        await visit.drop()
                        return
                await trio.sleep(self.pause)
        finally:
            self.present -= 1


def trades(count: int) -> list[str]:
    """Frames of Binance's form, with keys that differ only by case."""
    trade = {"e": "trade", "E": 1, "s": "BTC", "t": 0, "p": "", "q": "1", "T": 1, "m": True, "M": True}
    return [
        json.dumps({"stream": "btcusdt@trade", "data": trade | {"E": n, "t": 2**63 + n, "p": f"{n}.500"}})
        for n in range(count)
    ]


def config(folder: Path, url: str, more: str = "", service: str = "") -> Path:
    (folder / "config" / "connectors").mkdir(parents=True)
    text = CONFIG.format(url=url, more=more)
    (folder / "config" / "connectors" / "feed.toml").write_text(text, encoding="utf-8")
    (folder / "config" / "service.toml").write_text(service, encoding="utf-8")
    return folder / "config"


async def frames_of(database: str) -> list[tuple[str, Any]]:
    """Type and content of every stored frame, in the order in which they were stored."""

    def read() -> list[tuple[str, Any]]:
        with psycopg.connect(database) as connection:
            rows = connection.execute(
                "SELECT w.message_type, w.data::text FROM websocket_data w"
                " JOIN events e ON e.event_id = w.extraction_id ORDER BY e.stream_offset"
            ).fetchall()
        return [(kind, json.loads(text)) for kind, text in rows]

    return await trio.to_thread.run_sync(read)


async def stored(database: str, count: int) -> list[tuple[str, Any]]:
    """All frames, once there are ``count``."""
    found: list[tuple[str, Any]] = []
    with trio.move_on_after(60):
        while len(found) < count:
            await trio.sleep(0.2)
            found = await frames_of(database)
    return found


async def items_of(service: RunningService) -> list[dict[str, Any]]:
    """Every item, oldest first."""
    items: list[dict[str, Any]] = []
    path: str | None = "/api/data/items/feed?limit=10000"
    while path:
        page = await service.get(path)
        items += page["items"]
        path = page["next"]
    return sorted(items, key=lambda item: int(item["id"]))


async def test_ten_sudden_ends_and_every_frame_is_stored_once(folder: Path, database: str) -> None:
    """In order, with its item and every digit of a 64-bit number."""
    feed = Feed(trades(1_000), drops=range(50, 1_000, 90))
    async with serving(feed.visit) as server:
        where = config(folder, server.url)
        async with running(where, folder / "data", environment={"DATABASE_URL": database}) as service:
            found = await stored(database, 1_000)
            assert feed.dropped >= 10
            status = await service.get("/api/connectors/feed/status")
            assert (status["state"], status["connections"]) == ("running", feed.dropped + 1)
            assert found == [("trade", json.loads(frame)) for frame in feed.frames]
            items = await items_of(service)
            assert [item["extra"]["number"] for item in items] == [2**63 + n for n in range(1_000)]
            assert await service.stop() == 0


async def test_planned_replacements_leave_no_gap_and_no_copy(folder: Path, database: str) -> None:
    """The provider sees the next socket before the last one goes, again and again."""
    feed = Feed(trades(3_000))
    together: list[int] = []

    async def watched(visit: Visit) -> None:
        together.append(feed.present + 1)
        await feed.visit(visit)

    async with serving(watched) as server:
        where = config(folder, server.url, "max_age_seconds = 1.5\noverlap_seconds = 0.5")
        async with running(where, folder / "data", environment={"DATABASE_URL": database}) as service:
            found = await stored(database, 3_000)
            status = await service.get("/api/connectors/feed/status")
            assert found == [("trade", json.loads(frame)) for frame in feed.frames]
            assert together[:3] == [1, 2, 2]
            assert (status["last_error"], status["consecutive_failures"]) == (None, 0)
            assert status["copies"] > 0


async def test_a_refusal_is_shown_and_waited_out(folder: Path, database: str) -> None:
    """The status tells the provider's words, then the stream flows."""
    feed = Feed(trades(10))
    async with serving(refusing(429, b'{"msg":"Too many requests"}', Retry_After="2"), feed.visit) as server:
        where = config(folder, server.url)
        async with running(where, folder / "data", environment={"DATABASE_URL": database}) as service:
            path = "/api/connectors/feed/status"
            status = await service.until(path, lambda said: said["last_error"] is not None)
            assert status["state"] == "failing"
            assert status["last_error"] == "HTTP 429 (Too Many Requests): Too many requests; asks to wait 2 s"
            await service.until(path, lambda said: said["state"] == "running" and said["items"] == 10)


async def test_a_stream_made_over_rest_is_guarded_and_controlled(folder: Path, database: str) -> None:
    """Loopback is refused to REST callers unless the config allows it; pause, resume and trigger work as for polls."""
    feed = Feed(trades(100_000), pause=0.01)
    async with serving(feed.visit) as server:
        where = config(folder, "ws://127.0.0.1:9", "enabled = false")
        body = {
            "connector_id": "mine",
            "kind": "websocket",
            "url": server.url,
            "handshake": [{"send": '{"method":"SUBSCRIBE","params":["a"],"id":1}', "expect": "id == `1`"}],
            "ignore": "!data",
        }
        async with running(where, folder / "data", environment={"DATABASE_URL": database}) as service:
            refused = await service.client.post("/api/connectors", json=body)
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["path"] == "url"
            assert await service.stop() == 0
        (where / "service.toml").write_text("[security]\nallow_private_targets = true\n", encoding="utf-8")
        async with running(where, folder / "data", environment={"DATABASE_URL": database}) as service:
            made = await service.client.post("/api/connectors", json=body)
            assert made.status_code == 201, made.text
            path = "/api/connectors/mine/status"
            await service.until(path, lambda said: said["state"] == "running" and said["frames"] > 10)
            await service.client.post("/api/connectors/mine/pause")
            await service.until(path, lambda said: said["state"] == "paused" and feed.present == 0)
            await service.client.post("/api/connectors/mine/resume")
            connected = (await service.until(path, lambda said: said["connected_since"]))["connections"]
            await service.client.post("/api/connectors/mine/trigger")
            await service.until(path, lambda said: said["connections"] > connected)
            assert (await service.client.delete("/api/connectors/mine")).status_code == 204
            await service.until("/api/connectors", lambda said: said["total"] == 1 and feed.present == 0)
            assert await service.stop() == 0


@recorded.needs_recordings
@pytest.mark.parametrize("path", recorded.recordings("binance_ws_combined_*.jsonl"))
async def test_a_recorded_stream_is_stored_whole(path: Path, folder: Path, database: str) -> None:
    """Ten forced disconnects and a planned reconnect: every frame once, in order, items of tickers and trades right."""
    recording = await trio.Path(path).read_text("utf-8")
    frames = [line["data"] for line in map(json.loads, recording.splitlines()) if line["dir"] == "recv"]
    step = max(len(frames) // 11, 1)
    feed = Feed(frames, drops=range(10, len(frames), step), goodbye=10 + 5 * step + step // 2)
    together: list[int] = []

    async def watched(visit: Visit) -> None:
        together.append(feed.present + 1)
        await feed.visit(visit)

    async with serving(watched) as server:
        where = config(folder, server.url, "reconnect_on = \"data.e == 'serverShutdown'\"\noverlap_seconds = 0.1")
        async with running(where, folder / "data", environment={"DATABASE_URL": database}) as service:
            found = await stored(database, len(frames))
            assert feed.dropped >= 10
            assert together.count(2) == 1
            assert [frame for _, frame in found] == [json.loads(frame) for frame in frames]
            told = [json.loads(frame)["data"] for frame in frames]
            assert [kind for kind, _ in found] == [data.get("e") for data in told]
            priced = [data for data in told if "p" in data or ("b" in data and "B" in data)]
            items = await items_of(service)
            assert [(item["coin_symbol"], item["price"]) for item in items] == [
                (data["s"], float(data.get("p") or data["b"])) for data in priced
            ]
