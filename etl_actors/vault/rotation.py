"""A rotation: everything that is sealed moves from one key to another, while services run.

A running service cannot be given a new environment, so the new key is left for it where the secrets are: sealed under
the key that it has. It takes it over from there, and the next start, under the new key, clears it away. Until then the
old key still leads to the new one; who rotates because a key leaked restarts the service soon.

Where the key is a file of the data folder, the next one is made beside it and takes its place once everything that is
sealed has moved. Where ``ENCRYPTION_KEY_NEW`` follows on such a file, the file stays: a service that starts without the
variable needs it until it has taken the new key over, and nobody here can know who does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from ..errors import UsageError
from .errors import NotSealed
from .hidden import parse
from .key_file import sync_folder
from .opening import KEY_NAME, VARIABLE, find_key, key_in_environment
from .sealing import KEY_BYTES, Keyring, Vault

NEXT_VARIABLE = "ENCRYPTION_KEY_NEW"
NEXT_KEY_NAME = "vault.key.next"
_OWNER = "key handover"


class Handover(Struct, frozen=True, kw_only=True):
    """The new key, sealed under the old one."""

    new_key_id: str
    old_key_id: str
    sealed_key: str


class Rotation(Struct, frozen=True, kw_only=True):
    """Both keys on one ring, the new one first, and the note for services that hold the old one."""

    keyring: Keyring
    handover: Handover


def open_rotation(data_dir: Path, environment: Mapping[str, str]) -> Rotation:
    """The keys of a rotation: the present one, of the environment or the data folder, and the one to move to:
    ``ENCRYPTION_KEY_NEW``, else a fresh file in the data folder.

    Raises ``UsageError`` of one sentence. Blocks as ``open_vault`` does. A repetition finds the same file again.
    """
    old = Vault(find_key(data_dir, environment, may_create=False))
    given = any(environment.get(name) for name in (NEXT_VARIABLE, f"{NEXT_VARIABLE}_FILE"))
    if key_in_environment(environment) and not given:
        raise UsageError(
            f"{VARIABLE} gives the present key: give the new one as {NEXT_VARIABLE} (or {NEXT_VARIABLE}_FILE)"
        )
    key = find_key(data_dir, environment, variable=NEXT_VARIABLE, file_name=NEXT_KEY_NAME)
    new = Vault(key)
    if new.key_id == old.key_id:
        raise UsageError(f"{NEXT_VARIABLE} is the present key: give another one")
    sealed = old.seal(key.text(), owner=_OWNER, field=new.key_id)
    handover = Handover(new_key_id=new.key_id, old_key_id=old.key_id, sealed_key=sealed)
    return Rotation(keyring=Keyring(new, old), handover=handover)


def with_handovers(keyring: Keyring, handovers: Iterable[Handover]) -> Keyring:
    """``keyring`` and the keys that were left for whoever holds one of its keys, the newest first."""
    waiting = {one.old_key_id: one for one in handovers}
    while (found := waiting.pop(keyring.key_id, None)) is not None:
        text = keyring.open(found.sealed_key, owner=_OWNER, field=found.new_key_id)
        key = parse(text.reveal(), size=KEY_BYTES)
        if key is None:
            raise NotSealed("the key that was left for this service is damaged")
        keyring = keyring.succeeded_by(Vault(key))
    return keyring


def put_next_key_in_place(data_dir: Path, key_id: str) -> bool:
    """Let the next key file take the place of the present one, when its key is ``key_id``; whether it did."""
    following = data_dir / NEXT_KEY_NAME
    if (
        not following.exists()
        or Vault(find_key(data_dir, {}, may_create=False, file_name=NEXT_KEY_NAME)).key_id != key_id
    ):
        return False
    following.replace(data_dir / KEY_NAME)
    sync_folder(data_dir)
    return True
