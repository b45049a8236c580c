"""Where the key comes from: ``ENCRYPTION_KEY``, the file that ``ENCRYPTION_KEY_FILE`` names, or the data folder.

A passphrase is weaker than a key, so it is stretched with scrypt over a salt of this installation: whoever steals the
database has to pay for each guess, and for each installation anew. No error here is raised while another one that
knows the key is being handled, so neither ``__cause__`` nor ``__context__`` can lead to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

from ..errors import UsageError
from ..settings.interpolation import read_variable
from ..settings.secret import Secret
from .hidden import PREFIX, Hidden, parse
from .key_file import bytes_form, read_or_create
from .sealing import KEY_BYTES, Vault

VARIABLE = "ENCRYPTION_KEY"
KEY_NAME = "vault.key"
SALT_NAME = "vault.salt"
SHORTEST = 16  # characters of a passphrase

_SALT_BYTES = 16
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**15, 8, 1
_SCRYPT_MEMORY = 2 * 128 * _SCRYPT_N * _SCRYPT_R  # twice what it takes; OpenSSL's default is just below that


def open_vault(data_dir: Path, environment: Mapping[str, str], *, may_create: bool = True) -> Vault:
    """The vault of this installation; as :func:`find_key`."""
    return Vault(find_key(data_dir, environment, may_create=may_create))


def find_key(
    data_dir: Path,
    environment: Mapping[str, str],
    *,
    may_create: bool = True,
    variable: str = VARIABLE,
    file_name: str = KEY_NAME,
) -> Hidden:
    """The key that ``variable`` gives, or that ``file_name`` in the data folder holds.

    Any trouble is a ``UsageError`` of one sentence. It takes about 100 ms and 32 MiB for scrypt and waits for the
    disk: call it in a worker thread.

    The vault cannot know whether secrets are stored already. A caller that sees some passes ``may_create=False``;
    a key file or salt that is missing is then ``KeyMissing``, where a new one would hide the loss and leave new
    secrets under another key than the old ones.
    """
    given = given_secret(variable, environment)
    if given is None:
        return read_or_create(data_dir / file_name, bytes_form(KEY_BYTES, what="key file"), may_create=may_create)
    if given.reveal().lstrip().startswith(PREFIX):
        key = parse(given.reveal(), size=KEY_BYTES)
        if key is None:
            raise UsageError(
                f"{variable} begins with {PREFIX} and must go on with exactly {KEY_BYTES} bytes in base64; "
                f"openssl rand -base64 {KEY_BYTES} makes them"
            )
        return key
    if len(given.reveal()) < SHORTEST:
        raise UsageError(
            f"{variable} is shorter than {SHORTEST} characters: give a longer one, or {PREFIX} and {KEY_BYTES} bytes"
        )
    if not _is_unicode(given):
        raise UsageError(f"{variable} is not UTF-8 text: give another one, or {PREFIX} and {KEY_BYTES} bytes")
    salt = read_or_create(data_dir / SALT_NAME, bytes_form(_SALT_BYTES, what="salt file"), may_create=may_create)
    return _stretch(given, salt)


def key_in_environment(environment: Mapping[str, str]) -> bool:
    """Whether the key is ``ENCRYPTION_KEY`` or in the file that ``ENCRYPTION_KEY_FILE`` names."""
    return any(environment.get(name) for name in (VARIABLE, f"{VARIABLE}_FILE"))


def lies_under_key_file(data_dir: Path, environment: Mapping[str, str], key_ids: Collection[str] | None) -> bool:
    """Whether secrets under one of these keys (None: not known which) wait for the key file that the environment's
    key stands before. Blocks as above.
    """
    if not key_in_environment(environment) or not (data_dir / KEY_NAME).exists():
        return False
    try:
        key_id = open_vault(data_dir, {}, may_create=False).key_id
    except UsageError:
        return False
    return key_ids is None or key_id in key_ids


def given_secret(variable: str, environment: Mapping[str, str]) -> Secret | None:
    """What the environment gives. An empty variable is one that is not set; an empty file is a mistake."""
    if not environment.get(variable):
        environment = {name: value for name, value in environment.items() if name != variable}
    trouble = ""
    try:
        text = read_variable(variable, environment)
    except LookupError as error:
        trouble = str(error.args[0])
    if trouble:  # raised out here, because a decoding error in the chain would hold the content of the file
        raise UsageError(trouble)
    return None if text is None else Secret(text)


def _is_unicode(text: Secret) -> bool:
    """Whether UTF-8 can hold it; the bytes of a variable that are not UTF-8 arrive as lone surrogates."""
    try:
        text.reveal().encode()
    except UnicodeEncodeError:
        return False
    return True


def _stretch(passphrase: Secret, salt: Hidden) -> Hidden:
    """hashlib's scrypt gives other threads the interpreter while it computes."""
    return Hidden(
        hashlib.scrypt(
            passphrase.reveal().encode(),
            salt=salt.reveal(),
            n=_SCRYPT_N,
            r=_SCRYPT_R,
            p=_SCRYPT_P,
            maxmem=_SCRYPT_MEMORY,
            dklen=KEY_BYTES,
        )
    )
