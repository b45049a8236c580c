"""``/api/keys`` alone, where the rest of the house does what it seldom does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from quart_trio import QuartTrio

from etl_actors.errors import StorageUnavailable
from etl_actors.keys import KeyRecord, digest_of
from etl_actors.web.keys import key_routes


class Store:
    """Takes a key."""

    async def create(self, key: str, **wanted: Any) -> KeyRecord:
        return KeyRecord(id=7, name="", scope="read", hint=key[:8], digest=digest_of(key), created_at=datetime.now(UTC))


class Distracted:
    """The database is gone when it looks."""

    async def look(self) -> None:
        raise StorageUnavailable("gone")


async def test_a_key_that_was_stored_is_shown(autojump_clock: object) -> None:
    """Though the database goes away a moment later: nobody would ever learn it."""
    app = QuartTrio("alone")
    app.register_blueprint(key_routes(cast("Any", Store()), cast("Any", Distracted())))
    answer = await app.test_client().post("/api/keys", json={"scope": "read"})
    assert answer.status_code == 201
    assert (await answer.get_json())["key"].startswith("etl_")
