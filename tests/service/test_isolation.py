"""One failing provider fails alone, and the status says in one sentence what is wrong."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import trio

from etl_actors.sandbox.exchange import Sandbox

from .running import pointed_config, running

STALLED, GARBAGE, LIMITED = "binance_24hr", "coingecko_top", "cryptocompare_multi"
WATCH_SECONDS = 8


async def test_three_kinds_of_trouble_leave_the_other_five_alone(sandbox: Sandbox, folder: Path) -> None:
    """One stalls, one sends garbage, one answers 429: the others miss no poll and never fail."""
    sandbox.set_fault("/api/v3/ticker/24hr", "stall")
    sandbox.set_fault("/api/v3/coins/markets", "garbage")
    sandbox.set_fault("/data/pricemultifull", "429", retry_after=5)
    config = pointed_config(folder / "config", sandbox.origins, interval=1)
    for file in (config / "connectors").glob("*.toml"):
        file.write_text(
            file.read_text().replace("interval_seconds = 1\n", "interval_seconds = 1\ntimeout_seconds = 3\n")
        )
    async with running(config, folder / "data") as service:
        listed = (await service.get("/api/connectors"))["connectors"]
        connectors = [one["connector_id"] for one in listed if one["enabled"]]
        healthy = set(connectors) - {STALLED, GARBAGE, LIMITED}
        before = {name: await service.get(f"/api/connectors/{name}/status") for name in healthy}
        await trio.sleep(WATCH_SECONDS)
        after = {name: await service.get(f"/api/connectors/{name}/status") for name in connectors}
        assert len(healthy) == 5
        for name in healthy:
            assert after[name]["state"] == "running"
            assert after[name]["last_error"] is None
            assert after[name]["polls"] - before[name]["polls"] >= WATCH_SECONDS - 1
        assert after[STALLED]["state"] == "failing"
        assert "no answer within 3 s" in after[STALLED]["last_error"]
        assert after[GARBAGE]["state"] == "failing"
        assert after[GARBAGE]["rejected"] >= 1
        assert "JSON" in after[GARBAGE]["last_error"]
        assert after[LIMITED]["state"] == "failing"
        assert "429" in after[LIMITED]["last_error"]
        asked = [request.time for request in sandbox.requests("/data/pricemultifull")]
        assert all(later - earlier >= 4.9 for earlier, later in pairwise(asked))
        assert all(one_sentence(after[name]["last_error"]) for name in (STALLED, GARBAGE, LIMITED))
        assert await service.stop() == 0


def one_sentence(text: Any) -> bool:
    """Short, on one line."""
    return isinstance(text, str) and "\n" not in text and 0 < len(text) < 400


async def test_trouble_that_is_over_is_over(sandbox: Sandbox, folder: Path) -> None:
    """A connector that failed runs again, and what it could not map is not forgotten."""
    sandbox.set_fault("/api/v3/coins/markets", "error_object", count=1)
    sandbox.set_fault("/api/v3/depth", "html", count=1)
    config = pointed_config(folder / "config", sandbox.origins, interval=1)
    async with running(config, folder / "data") as service:
        for name in ("coingecko_top", "binance_orderbook"):
            await service.until(
                f"/api/connectors/{name}/status",
                lambda status: status["state"] == "running" and status["items"] > 0 and status["polls"] > 1,
            )
        assert await service.stop() == 0
