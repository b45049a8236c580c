"""The secrets of this service's own doors: the first key that lets people in, and what sessions are signed with.

The first key is ``ETL_ADMIN_KEY`` (or the file that ``ETL_ADMIN_KEY_FILE`` names); else one is made and kept in the
data folder, where its owner can read it. It never goes into the database: one that a person made up could be guessed
from what would be stored of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import UsageError
from ..keys import KEY_FORM, LONGEST_KEY, new_key
from ..settings.secret import Secret
from .hidden import Hidden, fresh
from .key_file import Form, bytes_form, read_or_create
from .opening import given_secret

VARIABLE = "ETL_ADMIN_KEY"
SHORTEST = 16  # characters
FIRST_KEY_NAME = "admin.key"
SESSION_SECRET_NAME = "session.key"  # noqa: S105  # the name of a file
SESSION_SECRET_BYTES = 32

# What a header can carry as one word.
_SENDABLE = re.compile(r"[\x21-\x7e]+")

_FIRST_KEY = Form(
    what="admin key file",
    holds="a key of this service",
    mend="remove it, and the next start makes another",
    make=new_key,
    read=lambda text: Secret(text.strip()) if KEY_FORM.fullmatch(text.strip()) else None,
)


def given_first_key(environment: Mapping[str, str]) -> Secret | None:
    """The first key as the environment gives it, or None. Raises ``UsageError`` for one that is no good."""
    given = given_secret(VARIABLE, environment)
    if given is None:
        return None
    length = len(given.reveal())
    if length < SHORTEST:
        raise UsageError(
            f"{VARIABLE} is shorter than {SHORTEST} characters and could be guessed: give a longer one "
            f"(openssl rand -base64 32 makes one), or none, and the service makes its own"
        )
    if length > LONGEST_KEY:
        raise UsageError(f"{VARIABLE} is longer than {LONGEST_KEY} characters: give a shorter one")
    if not _SENDABLE.fullmatch(given.reveal()):
        raise UsageError(f"{VARIABLE} holds a space or a letter beyond ASCII, which no header can carry: give another")
    return given


def kept_first_key(data_dir: Path) -> Secret:
    """The first key that the data folder keeps, made when it is missing. Raises ``UsageError``; waits for the disk."""
    return read_or_create(data_dir / FIRST_KEY_NAME, _FIRST_KEY)


def session_secret(data_dir: Path) -> Hidden:
    """What sessions are signed with, kept so that they outlive a restart; a fresh one where nothing can be kept."""
    form = bytes_form(SESSION_SECRET_BYTES, what="session key file")
    try:
        return read_or_create(data_dir / SESSION_SECRET_NAME, form)
    except UsageError:
        return fresh(SESSION_SECRET_BYTES)
