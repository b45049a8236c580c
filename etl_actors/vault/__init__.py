"""Where secrets rest: sealed under a key that is not in the database.

The threat is a copy of the database in wrong hands (a backup, a replica, an SQL console): it must give no credentials
away, and whoever can write to it must not be able to make one connector send the secret of another to an address of
their choice. Against somebody who reads the key itself (the process, its environment, the data folder as its owner)
there is no help here. ``opening.py`` finds the key, ``key_file.py`` keeps bytes in the data folder, ``hidden.py``
keeps them out of sight, ``sealing.py`` seals and opens, ``errors.py`` says what went wrong. ``doors.py`` finds the
first key that lets people in, which rests in the same folder. All of it is plain, blocking code that knows neither
database nor trio.
"""

from .errors import CannotSeal, KeyFileUnusable, KeyMissing, NotSealed, SealBroken, VaultError, WrongKey
from .opening import open_vault
from .sealing import Keyring, Vault, is_sealed, key_id_of

__all__ = [
    "CannotSeal",
    "KeyFileUnusable",
    "KeyMissing",
    "Keyring",
    "NotSealed",
    "SealBroken",
    "Vault",
    "VaultError",
    "WrongKey",
    "is_sealed",
    "key_id_of",
    "open_vault",
]
