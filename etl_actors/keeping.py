"""What is kept from run to run: the key that secrets are sealed under, and the connectors that were made over REST."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import trio

from .errors import UsageError
from .roster_entry import Entry, opened_entry, sealed_texts
from .settings import Configuration
from .storage.opening import Storage
from .vault import Keyring, Vault, open_vault


async def open_kept(
    storage: Storage, configuration: Configuration, data_dir: Path, environment: Mapping[str, str]
) -> tuple[Keyring, list[Entry]]:
    """The key and the kept connectors, opened with it.

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
    vault = await trio.to_thread.run_sync(_open_vault, data_dir, environment, not texts)
    keyring = Keyring(vault)
    keyring.require_keys_of(texts)
    return keyring, [opened_entry(one, keyring) for one in definitions]


def _open_vault(data_dir: Path, environment: Mapping[str, str], may_create: bool) -> Vault:
    data_dir.mkdir(parents=True, exist_ok=True)
    return open_vault(data_dir, environment, may_create=may_create)
