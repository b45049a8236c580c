"""Storage opened on the test's own database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from etl_actors.settings import ConnectorSettings, Secret
from etl_actors.settings.service import Database, Retention
from etl_actors.storage.opening import Storage, open_storage

CONNECTORS = tuple(
    ConnectorSettings(connector_id=name, url="https://example.org", source_id=source)
    for name, source in (("one", "binance"), ("two", "coingecko"))
)


@asynccontextmanager
async def opened(database: str, **retention: float) -> AsyncIterator[Storage]:
    """A service's storage on ``database``."""
    settings = Database(url=Secret(database), min_connections=1, max_connections=8)
    async with open_storage(settings, Retention(**retention), CONNECTORS, data_dir=Path("/nonexistent")) as storage:
        yield storage
