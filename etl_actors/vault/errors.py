"""What can go wrong with sealed secrets, sorted by who can mend it; no text here ever holds a secret or a key.

``KeyFileUnusable``, ``KeyMissing`` and ``WrongKey`` are for the person who started the command (exit code 2).
``CannotSeal`` is for whoever sent the secret. ``SealBroken`` and ``NotSealed`` say that what is stored cannot be
trusted: the secret has to be entered again. None of them is a reason to delete or overwrite anything.
"""

from __future__ import annotations

from ..errors import EtlActorsError, UsageError


class VaultError(EtlActorsError):
    """The root of what the vault raises about keys and stored texts."""


class KeyFileUnusable(VaultError, UsageError):
    """A file of the vault cannot be read, made or trusted; it was left as it is."""


class KeyMissing(VaultError, UsageError):
    """Secrets are stored, and the file that opens them is gone; a new one would not open them."""


class WrongKey(VaultError, UsageError):
    """Stored under another key than those at hand. ``stored_under`` and ``held`` are key ids, never keys."""

    def __init__(self, stored_under: str, held: tuple[str, ...]) -> None:
        self.stored_under = stored_under
        self.held = held
        super().__init__(
            f"ENCRYPTION_KEY (or the key file of the data folder) is another one than the secret was stored under: "
            f"it was stored under key {stored_under}, this is key {' and '.join(held)}"
        )


class CannotSeal(VaultError):
    """The secret, its owner or its field is not text that UTF-8 can hold."""


class SealBroken(VaultError):
    """The key is right, yet the stored text was altered or belongs to another owner or field."""


class NotSealed(VaultError):
    """The text does not have the form of a sealed secret."""
