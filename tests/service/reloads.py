"""A service whose config folder is changed under it, and a provider that says what is asked of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from ..web.origin_server import Asked
from .running import RunningService, running


class Origin:
    """Answers everything, and counts how often each path was asked for, and with which token."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.tokens: dict[str, str] = {}

    def __call__(self, asked: Asked) -> tuple[int, bytes]:
        place = asked.target.partition("?")[0]
        self.asked[place] = self.asked.get(place, 0) + 1
        self.tokens[place] = asked.headers.get("Authorization", "")
        return 200, json.dumps([{"s": "AABB", "p": self.asked[place]}]).encode()


def connector(name: str, url: str, *lines: str, interval: float = 0.1, items: str = "") -> str:
    """The TOML of one that polls."""
    return "\n".join(
        [
            "[[connectors]]",
            f'connector_id = "{name}"',
            f'url = "{url}/{name}"',
            f"interval_seconds = {interval}",
            *lines,
            "[connectors.items]",
            items or 'coin_symbol = "s"',
            'price = "p"',
            "",
        ]
    )


class Folder:
    """A config folder; ``write`` replaces a file in one step, as good editors do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "connectors").mkdir(parents=True)
        self.write("service.toml", "")

    def write(self, name: str, text: str) -> Path:
        """``name`` is below the folder."""
        place, beside = self.path / name, self.path / f"{name}.new"
        beside.write_text(text, encoding="utf-8")
        return beside.replace(place)

    def connectors(self, name: str, *texts: str) -> Path:
        """A file of connectors."""
        return self.write(f"connectors/{name}.toml", "\n".join(texts))


@asynccontextmanager
async def reloading(
    folder: Folder, database: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[RunningService]:
    """The service with this folder; stopped at the end, and it must stop well."""
    given = {"DATABASE_URL": database} | dict(environment or {})
    async with running(folder.path, folder.path.parent / "data", environment=given) as service:
        yield service
        assert await service.stop() == 0


async def config(service: RunningService) -> Any:
    """What the status says of the config."""
    return (await service.get("/api/status"))["config"]


async def until_logged(service: RunningService, event: str, many: int = 1, *, seconds: float = 20) -> Any:
    """The newest of ``many`` log entries of that name."""
    with trio.fail_after(seconds):
        while len(found := service.events(event)) < many:  # noqa: ASYNC110  # a file tells nobody that it grows
            await trio.sleep(0.05)
    return found[-1]


async def polls(service: RunningService, name: str, more: int = 2) -> int:
    """How often a connector polled, once it did ``more`` times."""
    await service.until("/api/connectors", lambda one: name in [each["connector_id"] for each in one["connectors"]])
    status = await service.until(f"/api/connectors/{name}/status", lambda one: one.get("polls", 0) >= more)
    return int(status["polls"])
