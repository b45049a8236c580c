"""The table of keys: only digests, bounded, and what ended stays ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from etl_actors.errors import TooManyKeys
from etl_actors.keys import digest_of, new_key
from etl_actors.settings import Secret
from etl_actors.settings.service import Database
from etl_actors.storage import keys as keys_module
from etl_actors.storage.keys import KeyBook
from etl_actors.storage.visiting import open_visit


async def test_a_key_is_stored_as_its_digest_and_found_by_it(database: str, tmp_path: Path) -> None:
    """The key itself is nowhere in the row."""
    key = new_key()
    async with open_visit(Database(url=Secret(database)), tmp_path) as visit:
        book = KeyBook(visit.pool)
        made = await book.create(key, name="n", scope="write", expires_at=None)
        assert [one.digest for one in await book.active()] == [digest_of(key)]
        assert (await book.get(made.id)) == made
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT k::text FROM api_keys AS k").fetchone()
        assert row is not None
        assert key[8:] not in row[0]


async def test_what_is_revoked_or_expired_is_not_active(database: str, tmp_path: Path) -> None:
    """And stays in the list; revoking twice keeps the first time."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    async with open_visit(Database(url=Secret(database)), tmp_path) as visit:
        book = KeyBook(visit.pool)
        expired = await book.create(new_key(), name="", scope="read", expires_at=past)
        revoked = await book.create(new_key(), name="", scope="read", expires_at=None)
        first = await book.revoke(revoked.id)
        assert first == await book.revoke(revoked.id)
        assert await book.revoke(10**15) is None
        assert await book.active() == []
        now = datetime.now(UTC)
        assert [(one.id, one.state(now)) for one in await book.every()] == [
            (expired.id, "expired"),
            (revoked.id, "revoked"),
        ]


async def test_the_last_use_only_moves_forward(database: str, tmp_path: Path) -> None:
    """Whoever writes it last."""
    late = datetime(2026, 1, 2, tzinfo=UTC)
    async with open_visit(Database(url=Secret(database)), tmp_path) as visit:
        book = KeyBook(visit.pool)
        made = await book.create(new_key(), name="", scope="read", expires_at=None)
        for at in (late, late - timedelta(days=1)):
            await book.note_uses({made.id: at, 10**15: at})
        found = await book.get(made.id)
        assert found is not None
        assert found.last_used_at == late


async def test_there_are_so_many_keys_and_no_more(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that ended long ago are forgotten; then one sentence."""
    monkeypatch.setattr(keys_module, "MOST_KEYS", 2)
    long_ago = datetime.now(UTC) - timedelta(days=keys_module.KEPT_DAYS + 1)
    async with open_visit(Database(url=Secret(database)), tmp_path) as visit:
        book = KeyBook(visit.pool)
        for expires_at in (long_ago, None, None):
            await book.create(new_key(), name="", scope="read", expires_at=expires_at)
        assert len(await book.every()) == 2
        with pytest.raises(TooManyKeys, match="revoke some"):
            await book.create(new_key(), name="", scope="read", expires_at=None)
