"""Where secrets rest: sealed under a key that is not in the database.

The threat is a copy of the database in wrong hands (a backup, a replica, an SQL console): it must give no credentials
away, and whoever can write to it must not be able to make one connector send the secret of another to an address of
their choice. Against somebody who reads the key itself (the process, its environment, the data folder as its owner)
there is no help here. ``opening.py`` finds the key, ``key_file.py`` keeps bytes in the data folder, ``hidden.py``
keeps them out of sight, ``sealing.py`` seals and opens, ``rotation.py`` changes the key, ``errors.py`` says what went
wrong. ``doors.py`` finds the first key that lets people in, which rests in the same folder. All of it is plain,
blocking code that knows neither database nor trio.
"""

from .errors import CannotSeal, KeyFileUnusable, KeyMissing, NotSealed, SealBroken, VaultError, WrongKey
from .opening import KEY_NAME, lies_under_key_file, open_vault
from .rotation import Handover, Rotation, open_rotation, put_next_key_in_place, with_handovers
from .sealing import Keyring, Vault, is_sealed, key_id_of

__all__ = [
    "KEY_NAME",
    "CannotSeal",
    "Handover",
    "KeyFileUnusable",
    "KeyMissing",
    "Keyring",
    "NotSealed",
    "Rotation",
    "SealBroken",
    "Vault",
    "VaultError",
    "WrongKey",
    "is_sealed",
    "key_id_of",
    "lies_under_key_file",
    "open_rotation",
    "open_vault",
    "put_next_key_in_place",
    "with_handovers",
]
