"""Secrets that can be told apart from everything else, and all the places where one of them could come to light.

Each canary has one word in it that nothing else holds, and signs around it that JSON, HTML and a query write in ways of
their own. What a service makes of a secret (a Basic header, a signature, a token) is written down by the provider that
gets it, and looked for in the same way.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg

WORD = "quetzal"
_BYTEA = re.compile(r"\\\\?x((?:[0-9a-f]{2}){4,})")
# What is meant to hold keys.
KEY_FILES = frozenset({"vault.key", "admin.key", "encryption.key"})


def canary(place: str) -> str:
    """The secret of one place: visible ASCII, as a header needs it, with signs that every writer escapes."""
    return f'{WORD}-{place}/+=&<"%>{WORD}'


def simple_canary(place: str) -> str:
    """One that may stand where signs are not allowed."""
    return f"{WORD}-{place}-{WORD}"


@dataclass
class Watch:
    """``shown`` is all that was said so far; ``derived`` are secrets that were made on the way."""

    shown: list[str] = field(default_factory=list)
    derived: set[str] = field(default_factory=set)

    def hear(self, response: httpx.Response) -> None:
        """For a client's hooks: keeps what an answer says, cookies apart, which are for their owner."""
        response.read()
        headers = [f"{name}: {value}" for name, value in response.headers.items() if name != "set-cookie"]
        self.shown.append("\n".join([str(response.request.method), *headers, response.text]))

    def assert_silent(self, *texts: str) -> None:
        """No secret stands in what was said, nor in ``texts``."""
        sought = [WORD, *self.derived, *_in_base64(WORD)]
        for text in (*self.shown, *texts):
            readable = text + _readable_bytea(text)
            for secret in sought:
                place = readable.find(secret)
                assert place < 0, f"{secret!r} in {readable[max(0, place - 300) : place + 200]!r}"


def _in_base64(word: str) -> Iterable[str]:
    """What of ``word`` stays the same in base64, at each of the three places where it can begin."""
    for before in range(3):
        encoded = base64.b64encode(b" " * before + word.encode()).decode()
        yield encoded[(before * 8 + 5) // 6 : (before + len(word)) * 8 // 6]


def _readable_bytea(text: str) -> str:
    return "".join(bytes.fromhex(found).replace(b"\0", b"").decode("latin-1") for found in _BYTEA.findall(text))


def everything_in(database: str) -> str:
    """Every row of every table, as text."""
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return "".join(
            str(row)
            for (name,) in tables
            for row in connection.execute(f'SELECT t::text FROM "{name}" AS t').fetchall()
        )


def every_file(folder: Path) -> str:
    """The bytes of every file, those that are there to hold a key apart."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name not in KEY_FILES]
    return "\n".join(f"{path}: " + path.read_bytes().replace(b"\0", b"").decode("latin-1") for path in paths)
