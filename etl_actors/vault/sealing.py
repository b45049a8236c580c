"""Sealing: AES-256-GCM over one secret, bound to the connector and the field that it belongs to.

A sealed text is ``v1.KEYID.BODY``. KEYID is 16 hex digits that follow from the key and do not lead back to it; BODY is
nonce, ciphertext and tag in unpadded base64url. Owner, field, version and key id are authenticated with the secret, so
a text moved to another connector or field does not open. Nonces are random, which is sound for 2**32 seals under one
key. The length of a secret shows.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..settings.secret import Secret
from .errors import CannotSeal, NotSealed, SealBroken, WrongKey
from .hidden import Hidden

KEY_BYTES = 32

_VERSION = "v1"
_NONCE_BYTES, _TAG_BYTES = 12, 16
_SEALED = re.compile(r"v1\.([0-9a-f]{16})\.([A-Za-z0-9_-]{38,})")  # 38 characters hold nonce and tag


class Vault:
    """One key, able to seal and to open. It may be used from several threads at once."""

    __slots__ = ("_cipher", "key_id")

    def __init__(self, key: Hidden) -> None:
        if len(key.reveal()) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._cipher = AESGCM(key.reveal())
        self.key_id = hmac.digest(key.reveal(), b"etl-actors vault key id", "sha256")[:8].hex()

    def seal(self, secret: str, *, owner: str, field: str) -> str:
        """The text to store. Any text is taken as plain, also one that looks sealed."""
        name = _name(owner, field)
        bound, plain = self._bound(owner, field), _utf8(secret)
        if bound is None or plain is None:
            raise CannotSeal(f"{name} cannot be stored: the secret or its name holds half a character (a surrogate)")
        nonce = secrets.token_bytes(_NONCE_BYTES)
        body = nonce + self._cipher.encrypt(nonce, plain, bound)
        return f"{_VERSION}.{self.key_id}.{_encode(body)}"

    def open(self, stored: str, *, owner: str, field: str) -> Secret:
        """The secret, when ``stored`` was sealed under this key for this owner and field."""
        key_id, body = _split(stored, _name(owner, field))
        if key_id != self.key_id:
            raise WrongKey(key_id, (self.key_id,))
        bound, plain = self._bound(owner, field), None
        if bound is not None:  # nothing can have been sealed for such a name
            try:
                plain = self._cipher.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], bound)
            except InvalidTag:
                plain = None
        if plain is None:
            raise SealBroken(
                f"{_name(owner, field)} does not open: what is stored was altered or belongs to another connector "
                f"or field; enter the secret again"
            )
        return Secret(plain.decode())

    def rewrap(self, stored: str, old: Vault, *, owner: str, field: str) -> str:
        """``stored`` under this key. What is under it already comes back as it is, so a rotation can be repeated."""
        return Keyring(self, old).rewrap(stored, owner=owner, field=field)

    def _bound(self, owner: str, field: str) -> bytes | None:
        """What is authenticated beside the secret; with lengths, so that no two pairs of names give the same bytes."""
        bound = b""
        for part in (_VERSION, self.key_id, owner, field):
            raw = _utf8(part)
            if raw is None:
                return None
            bound += b"%d:%b" % (len(raw), raw)
        return bound

    def __repr__(self) -> str:
        return f"Vault(key_id={self.key_id!r})"


class Keyring:
    """The newest key, which seals, and older ones, which still open: how a service runs while a rotation does."""

    __slots__ = ("_newest", "_vaults")

    def __init__(self, newest: Vault, *older: Vault) -> None:
        self._newest = newest
        self._vaults = {vault.key_id: vault for vault in (newest, *older)}

    @property
    def key_id(self) -> str:
        """The id of the key that seals."""
        return self._newest.key_id

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all its keys, the newest first."""
        return tuple(self._vaults)

    def succeeded_by(self, newest: Vault) -> Keyring:
        """This ring with a newer key on it."""
        return Keyring(newest, *self._vaults.values())

    def seal(self, secret: str, *, owner: str, field: str) -> str:
        """As :meth:`Vault.seal`, under the newest key."""
        return self._newest.seal(secret, owner=owner, field=field)

    def open(self, stored: str, *, owner: str, field: str) -> Secret:
        """As :meth:`Vault.open`, under whichever key it was sealed."""
        key_id, _ = _split(stored, _name(owner, field))
        if key_id not in self._vaults:
            raise WrongKey(key_id, tuple(self._vaults))
        return self._vaults[key_id].open(stored, owner=owner, field=field)

    def rewrap(self, stored: str, *, owner: str, field: str) -> str:
        """``stored`` under the newest key; it must open first, also when it is under the newest key already."""
        secret = self.open(stored, owner=owner, field=field)
        if key_id_of(stored) == self.key_id:
            return stored
        return self.seal(secret.reveal(), owner=owner, field=field)

    def require_keys_of(self, stored: Iterable[str]) -> None:
        """For a start: ``WrongKey`` when one of these stored texts is under a key that is not on the ring."""
        for text in stored:
            key_id = key_id_of(text)
            if key_id is not None and key_id not in self._vaults:
                raise WrongKey(key_id, tuple(self._vaults))

    def __repr__(self) -> str:
        return f"Keyring({', '.join(map(repr, self._vaults.values()))})"


def is_sealed(text: str) -> bool:
    """Whether ``text`` has the form of a sealed secret; only opening it tells whether it is one.

    A user can type such a text, so nobody decides by it whether to seal: what comes from a user is always sealed, this
    text too, and comes back as typed; what comes from the store is always opened, and a look-alike fails there. It
    serves to find secrets that were stored before there was a vault.
    """
    return _SEALED.fullmatch(text) is not None


def key_id_of(stored: str) -> str | None:
    """The id of the key that ``stored`` says it is under, or None when it has not the form of a sealed secret."""
    match = _SEALED.fullmatch(stored)
    return match[1] if match else None


def _split(stored: str, name: str) -> tuple[str, bytes]:
    """Key id and body. Only the one spelling that sealing gives is taken: unused bits of base64 must not be free."""
    match = _SEALED.fullmatch(stored)
    body = _decode(match[2]) if match else None
    if match is None or body is None:
        raise NotSealed(
            f"{name} cannot be opened: what is stored has not the form of a sealed secret; enter the secret again"
        )
    return match[1], body


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes | None:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:  # a length that no bytes have
        return None
    return raw if _encode(raw) == text else None


def _utf8(text: str) -> bytes | None:
    """The bytes, or None: the error of the codec would hold the text, and must not become anybody's context."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


def _name(owner: str, field: str) -> str:
    return f"the secret {field!r} of {owner!r}"
