"""A connector with a cursor, killed again and again: the table holds every row once."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import trio

from ..sources.providers import provider, response
from .running import RunningService, running, until_no_postgres

ROWS = 1_200
KILLS = 4
CONNECTORS = ("plain", "drained", "numbered", "linked", "tokens")
CONFIG = """
[[connectors]]
connector_id = "{id}"
url = "{url}/{id}"
interval_seconds = 0.05
{pagination}
cursor = {{ param = "since", from = "max(rows[].id)", initial = 0 }}
[connectors.items]
each = "rows"
coin_symbol = "symbol"
[connectors.items.extra]
row = "id"
"""
PAGINATION = {
    "plain": 'store = "changed"',
    "drained": 'pagination = "cursor"',
    "numbered": 'pagination = { type = "page", size = 5, max_pages = 7 }',
    "linked": 'pagination = "link_header"',
    "tokens": 'pagination = { type = "cursor", from = "next", param = "token", max_pages = 3 }',
}


class Ledger:
    """Numbers its rows from 1 on, a few more with each request; gives ten at a time, or five a page."""

    def __init__(self) -> None:
        self.rows = dict.fromkeys(CONNECTORS, 0)

    async def script(self, stream: trio.SocketStream, head: bytes) -> None:
        parts = urlsplit(head.split(b" ")[1].decode())
        name, asked = parts.path.strip("/"), dict(parse_qsl(parts.query))
        self.rows[name] = min(ROWS, self.rows[name] + random.randrange(8))
        after = range(int(asked["since"]) + 1, self.rows[name] + 1)
        number = int(asked.get("page") or asked.get("token") or 1)
        whole = name in {"plain", "drained"}
        rows = after[:10] if whole else after[5 * (number - 1) : 5 * number]
        more = not whole and len(after) > 5 * number
        body: dict[str, Any] = {"rows": [{"id": n, "symbol": "BTC"} for n in rows]}
        if name == "tokens":
            body["next"] = str(number + 1) if more else None
        link = f'Link: </{name}?since={asked["since"]}&page={number + 1}>; rel="next"'
        headers = [link] if name == "linked" and more else []
        await stream.send_all(response(json.dumps(body).encode(), *headers))


async def stored_rows(service: RunningService, connector_id: str) -> list[int]:
    """The numbers of every stored row, in the order in which they were stored."""
    page = await service.get(f"/api/data/items/{connector_id}", limit=10_000, order="timestamp")
    assert page["next"] is None
    return [item["extra"]["row"] for item in sorted(page["items"], key=lambda item: item["id"])]


async def test_killed_again_and_again_it_holds_every_row_once(folder: Path) -> None:
    """Without pages, by the cursor itself, by numbers, links and tokens: 1 to n, in order, no hole, none twice."""
    ledger = Ledger()
    async with provider(ledger.script) as url:
        (folder / "config" / "connectors").mkdir(parents=True)
        text = "".join(CONFIG.format(id=name, url=url, pagination=PAGINATION[name]) for name in CONNECTORS)
        (folder / "config" / "connectors" / "ledgers.toml").write_text(text, encoding="utf-8")
        before = 0
        for _ in range(KILLS):
            async with running(folder / "config", folder / "data") as service:
                await service.until("/api/data/items?limit=1", lambda page, least=before + 40: page["total"] > least)
                await trio.sleep(random.uniform(0, 0.5))
                before = (await service.get("/api/data/items", limit=1))["total"]
                await service.stop(signal.SIGKILL)
            await until_no_postgres(folder)
        async with running(folder / "config", folder / "data") as service:
            for name in CONNECTORS:
                path = f"/api/data/items/{name}?limit=1"
                await service.until(path, lambda page: page["total"] >= ROWS, seconds=120)
            await trio.sleep(0.5)  # one that came twice would come now
            for name in CONNECTORS:
                assert await stored_rows(service, name) == list(range(1, ROWS + 1)), name
                status = await service.get(f"/api/connectors/{name}/status")
                assert (status["state"], status["consecutive_failures"]) == ("running", 0)
            assert await service.stop() == 0
