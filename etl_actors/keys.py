"""The keys of this service: what one looks like, what it may do, and what is kept of it.

A key is 256 random bits, so a plain SHA-256 of it is what is stored: there is nothing to guess, and a slow hash would
only make each request slow. (A key that a person made up, ``ETL_ADMIN_KEY``, is therefore never stored at all.) The
prefix ``etl_`` lets people and secret scanners see what they have found.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct

Scope = Literal["read", "write", "admin"]
"""What a key may do; each scope includes the ones before it."""

SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "etl_"
HINT_LENGTH = len(PREFIX) + 4
KEY_FORM = re.compile(r"etl_[A-Za-z0-9_-]{43}")
LONGEST_KEY = 512
LONGEST_NAME = 100
LONGEST_DAYS = 36_500

_KEY_BYTES = 32


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks. ``key_id`` is the key's row, 0 for the first key, None where no key was asked for."""

    scope: Scope
    key_id: int | None = None
    name: str = ""

    def may(self, scope: Scope) -> bool:
        """Whether what needs ``scope`` is allowed."""
        return covers(self.scope, scope)


class KeyRecord(Struct, frozen=True, kw_only=True):
    """What is kept of a key. ``hint`` is how it begins, ``digest`` what it is recognised by."""

    id: int
    name: str
    scope: Scope
    hint: str
    digest: bytes
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    def is_active(self, now: datetime) -> bool:
        """Whether it opens anything."""
        return self.state(now) == "active"


def new_key() -> str:
    """A fresh key."""
    return PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def digest_of(key: str) -> bytes:
    """What is stored and compared. Any text has one, so that any text can be refused."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def hint_of(key: str) -> str:
    """How the key begins, so that people recognise it in a list; 232 of its bits stay unknown."""
    return key[:HINT_LENGTH]


def covers(held: Scope, needed: Scope) -> bool:
    """Whether ``held`` includes ``needed``."""
    return SCOPES.index(held) >= SCOPES.index(needed)


def name_mistake(name: str) -> str | None:
    """What is wrong with a name for a key, or None. It is shown in terminals, so it must not command them."""
    if len(name) > LONGEST_NAME:
        return f"a name has {LONGEST_NAME} characters at most"
    if not name.isprintable():
        return "a name is one line of printable characters"
    return None
