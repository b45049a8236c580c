"""What psycopg's errors mean to the rest of the house.

Used at the walls of this room: trouble of the server or of the way to it leaves as ``StorageUnavailable``, so that
callers wait and repeat; a mistake in our own SQL leaves as it is, since repeating does not help.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from ..errors import StorageUnavailable

# Classes of SQLSTATE (PostgreSQL's appendix A) in which the same statement may succeed later.
_PASSING_CLASSES = frozenset(
    {
        "08",  # connection exception
        "40",  # deadlock, serialization failure
        "53",  # insufficient resources: too many connections, disk full, out of memory
        "57",  # operator intervention: shutdown, crash of another session, cannot connect now, statement timeout
        "58",  # system error outside PostgreSQL, such as an I/O error
    }
)
_PASSING_STATES = frozenset(
    {
        "25P03",  # idle_in_transaction_session_timeout; psycopg's InternalError
        "25P04",  # transaction_timeout
        "55P03",  # lock not available
    }
)


def is_unavailable(error: psycopg.Error) -> bool:
    """Whether waiting and trying again can help."""
    state = error.sqlstate
    if state is None:
        # libpq's own: refused, timed out, "server closed the connection unexpectedly", closed under our hands.
        return isinstance(error, psycopg.OperationalError)
    return state[:2] in _PASSING_CLASSES or state in _PASSING_STATES


def refusal_reason(error: psycopg.Error) -> str:
    """What PostgreSQL says of a value that it cannot store, on one line."""
    return (error.diag.message_primary or str(error)).splitlines()[0]


@contextmanager
def translated() -> Iterator[None]:
    """Around calls of psycopg: raise ``StorageUnavailable`` where trying again can help, chained to the cause."""
    try:
        yield
    except psycopg.Error as error:
        if not is_unavailable(error):
            raise
        raise StorageUnavailable(f"PostgreSQL does not answer: {' '.join(str(error).split())}") from error
