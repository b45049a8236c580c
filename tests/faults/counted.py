"""The service that follows the counter: its config, and what lies in its database."""

from __future__ import annotations

from pathlib import Path

import psycopg
import trio

from ..service.reloads import Folder
from ..service.running import RunningService
from .counting import CONFIG


def written_config(folder: Path, url: str) -> Path:
    """One connector that counts."""
    files = Folder(folder / "config")
    files.connectors("counted", CONFIG.format(url=url))
    return files.path


async def stored(database: str) -> list[tuple[int, str, int]]:
    """Offset, id and number of everything in the log, by offset; asked of the database itself."""

    def read() -> list[tuple[int, str, int]]:
        with psycopg.connect(database) as connection:
            return connection.execute(
                "SELECT e.stream_offset, e.event_id::text, (i.extra ->> 'number')::bigint FROM events e"
                " JOIN api_connector_items i ON i.id = e.first_item"
                " ORDER BY e.stream_offset, i.id"
            ).fetchall()

    return await trio.to_thread.run_sync(read)


async def spool_emptied(service: RunningService) -> None:
    """Until nothing waits on disk."""
    await service.until("/api/status", lambda status: status["spool"]["batches"] == 0, seconds=60)
