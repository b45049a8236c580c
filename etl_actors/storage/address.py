"""The address of a database as its owner wrote it, read before anything is connected to."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ..errors import UsageError
from ..settings.service import Database


def check_address(database: Database) -> None:
    """Raises :class:`UsageError` for a url that is none; nothing is connected to."""
    if database.url:
        parse_address(database.url.reveal())


def parse_address(url: str) -> dict[str, Any]:
    """A database url as psycopg's parameters; raises :class:`UsageError` that does not repeat it."""
    scheme, _, rest = url.partition("://")
    place = rest.partition("?")[0] if scheme in {"postgresql", "postgres"} else ""
    if place.count("@") > 1 or "@" in place.partition("/")[2]:
        # The rest of the password would be taken for the name of a host or a database, and errors name these.
        raise UsageError(
            "database.url (DATABASE_URL) has an @ too many: in a user or a password it is written %40 (and / is %2F)"
        )
    try:
        return conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # psycopg repeats the text it could not read, which may hold a password.
        raise UsageError(
            "database.url (DATABASE_URL) is not a PostgreSQL address such as postgresql://user:password@host:5432/name"
        ) from None
