"""What SQLite and the system say about trouble, in the words of the house."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import SpoolFull, SpoolUnavailable
from .connection import primary_code


def is_full(error: sqlite3.Error | OSError) -> bool:
    """Whether it is only that there is no room."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    return primary_code(error) == sqlite3.SQLITE_FULL


@contextmanager
def translated() -> Iterator[None]:
    """Raises :class:`SpoolFull` or :class:`SpoolUnavailable` in place of errors of SQLite and of the system."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if is_full(error):
            raise SpoolFull("the disk that the spool is on is full") from error
        raise SpoolUnavailable(f"the spool cannot be used: {error}") from error
