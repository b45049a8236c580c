"""Metrics while the database is away."""

from __future__ import annotations

from pathlib import Path

import trio
from prometheus_client import parser
from psycopg.conninfo import conninfo_to_dict

from ..storage.relay import open_relay
from .running import running

SOON = 16


async def test_a_scrape_is_answered_while_the_database_hangs(database: str, folder: Path) -> None:
    """It asks nothing of it, and says that it is away."""
    (folder / "config").mkdir()
    (folder / "config" / "service.toml").write_text('[security]\nrequire_keys = "yes"\n')
    async with open_relay(database) as relay:
        parameters = conninfo_to_dict(database)
        url = f"postgresql://{parameters['user']}@127.0.0.1:{relay.port}/{parameters['dbname']}"
        environment = {"DATABASE_URL": url, "ETL_ADMIN_KEY": "an-admin-key-of-this-test"}
        async with running(folder / "config", folder / "data", environment=environment) as service:
            client = service.client
            assert (await client.get("/metrics")).status_code == 401
            admin = {"Authorization": f"Bearer {environment['ETL_ADMIN_KEY']}"}
            made = await client.post("/api/keys", json={"name": "prometheus", "scope": "read"}, headers=admin)
            client.headers["Authorization"] = f"Bearer {made.json()['key']}"
            assert values((await client.get("/metrics")).text)["etl_database_up"] == 1
            relay.frozen = True
            with trio.fail_after(SOON):
                while (await client.get("/readyz")).status_code != 503:  # noqa: ASYNC110  # over HTTP
                    await trio.sleep(0.1)
            told = values((await client.get("/metrics")).text)
            assert told["etl_database_up"] == told["etl_ready"] == 0
            assert told["process_open_fds"] > 0
            relay.frozen = False


def values(text: str) -> dict[str, float]:
    """Every sample without labels."""
    return {
        sample.name: sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }
