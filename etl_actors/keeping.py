"""What is kept from run to run: the key that secrets are sealed under, and the connectors that were made over REST."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import structlog
import trio

from .errors import UsageError
from .roster_entry import Entry, opened_entry, rewrapped, sealed_texts
from .settings import Configuration
from .storage.opening import Storage
from .storage.pool import Pool
from .storage.rekeying import forget_handovers, handovers, move_secrets
from .vault import (
    KEY_NAME,
    Handover,
    KeyMissing,
    Keyring,
    Vault,
    WrongKey,
    key_id_of,
    lies_under_key_file,
    open_rotation,
    open_vault,
    put_next_key_in_place,
    with_handovers,
)

log = structlog.get_logger("keeping")


class KeyChain:
    """The keys in force. ``keyring`` seals under the newest; :meth:`refresh` takes over what a rotation left."""

    def __init__(self, keyring: Keyring, pool: Pool) -> None:
        self.keyring = keyring
        self._pool = pool

    async def refresh(self) -> None:
        """Take over the keys of rotations that happened since. Raises StorageUnavailable."""
        found = [Handover(new_key_id=new, old_key_id=old, sealed_key=key) for new, old, key in await self._waiting()]
        before, self.keyring = self.keyring.key_id, with_handovers(self.keyring, found)
        if self.keyring.key_id != before:
            log.warning("keeping.key_rotated", sealed_under=self.keyring.key_id, started_with=before)

    async def finish_rotations(self, data_dir: Path) -> None:
        """Put a next key file in its place, and clear away what was left for those who held an older key than ours."""
        await trio.to_thread.run_sync(put_next_key_in_place, data_dir, self.keyring.key_id)
        held = set(self.keyring.key_ids)
        done = [old for _, old, _ in await self._waiting() if old not in held]
        if done:
            await forget_handovers(self._pool, done)

    async def _waiting(self) -> list[tuple[str, str, str]]:
        return await handovers(self._pool)


async def open_kept(
    storage: Storage, configuration: Configuration, data_dir: Path, environment: Mapping[str, str]
) -> tuple[KeyChain, list[Entry]]:
    """The keys and the kept connectors, opened with them.

    Raises :class:`UsageError` of one sentence: the key is missing, or another one than secrets were sealed under, or a
    kept connector has the id of one in a file. Nothing is changed then.
    """
    definitions = await storage.definitions.every()
    for one in definitions:
        if one.connector_id in configuration.origin:
            file, place = configuration.origin[one.connector_id]
            raise UsageError(
                f"{file}: {place}.connector_id: {one.connector_id!r} is the id of a connector that was made over REST;"
                " choose another, or delete that one while this file is away"
            )
    texts = sealed_texts(definitions)
    try:
        vault = await trio.to_thread.run_sync(_open_vault, data_dir, environment, not texts)
        chain = KeyChain(Keyring(vault), storage.writers)
        await chain.refresh()
        chain.keyring.require_keys_of(texts)
    except (KeyMissing, WrongKey):
        key_ids = {key_id for text in texts if (key_id := key_id_of(text)) is not None}
        await _require_no_key_file(data_dir, environment, key_ids)
        raise
    await chain.finish_rotations(data_dir)
    return chain, [opened_entry(one, chain.keyring) for one in definitions]


async def rekey(pool: Pool, data_dir: Path, environment: Mapping[str, str]) -> tuple[str, int]:
    """Move every secret to the new key; its id, and how many connectors were moved. Raises ``UsageError``."""
    try:
        rotation = await trio.to_thread.run_sync(open_rotation, data_dir, environment)
        left = rotation.handover
        moved = await move_secrets(
            pool,
            lambda document: rewrapped(document, rotation.keyring),
            (left.new_key_id, left.old_key_id, left.sealed_key),
        )
    except KeyMissing:
        await _require_no_key_file(data_dir, environment, None)
        raise
    except WrongKey as error:
        await _require_no_key_file(data_dir, environment, {error.stored_under})
        raise
    await trio.to_thread.run_sync(put_next_key_in_place, data_dir, left.new_key_id)
    return left.new_key_id, moved


async def _require_no_key_file(data_dir: Path, environment: Mapping[str, str], key_ids: Collection[str] | None) -> None:
    """When a key does not fit: a better sentence than that, where the key file of the data folder would."""
    if await trio.to_thread.run_sync(lies_under_key_file, data_dir, environment, key_ids):
        raise UsageError(
            f"the stored secrets lie under {data_dir / KEY_NAME}, and ENCRYPTION_KEY is another key: unset it; or move"
            " them to it with `ENCRYPTION_KEY= ENCRYPTION_KEY_NEW=… etl-actors rekey`, and start again"
        ) from None


def _open_vault(data_dir: Path, environment: Mapping[str, str], may_create: bool) -> Vault:
    data_dir.mkdir(parents=True, exist_ok=True)
    return open_vault(data_dir, environment, may_create=may_create)
