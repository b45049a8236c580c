"""Keys while the database is away: those that are known work, and of others the service says that it cannot tell."""

from __future__ import annotations

from pathlib import Path

import httpx
import trio
from psycopg.conninfo import conninfo_to_dict

from etl_actors.keys import new_key

from ..storage.relay import open_relay
from .running import running

ADMIN_KEY = "canary-admin-key-of-the-tests"


async def test_known_keys_work_and_unknown_ones_are_503(database: str, folder: Path) -> None:
    """Nothing is let in that was not known before, and nothing known is locked out."""
    (folder / "config").mkdir()
    (folder / "config" / "service.toml").write_text('[security]\nrequire_keys = "yes"\n')
    known, unknown = "", new_key()
    async with open_relay(database) as relay:
        parameters = conninfo_to_dict(database)
        url = f"postgresql://{parameters['user']}@127.0.0.1:{relay.port}/{parameters['dbname']}"
        environment = {"DATABASE_URL": url, "ETL_ADMIN_KEY": ADMIN_KEY}
        async with running(folder / "config", folder / "data", environment=environment) as service:

            async def ask(key: str, path: str = "/api/session", method: str = "GET") -> httpx.Response:
                return await service.client.request(method, path, headers={"X-API-Key": key})

            known = (await ask(ADMIN_KEY, "/api/keys", "POST")).json()["key"]
            assert (await ask(unknown)).status_code == 401
            relay.frozen = True
            for key, status in ((known, 200), (ADMIN_KEY, 200), (unknown, 503), ("nonsense", 401)):
                with trio.fail_after(15):
                    answer = await ask(key)
                assert answer.status_code == status, key
            refused = await ask(unknown)
            assert refused.headers["content-type"] == "application/problem+json"
            assert int(refused.headers["retry-after"]) > 0
            log = service.log.read_text()
            assert not any(key in log for key in (known, unknown, ADMIN_KEY))
