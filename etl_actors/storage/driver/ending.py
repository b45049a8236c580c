"""Ending a query that nobody waits for any more: its results are read and dropped, a COPY is ended either way.

Written as psycopg writes its protocol, as generators that yield what they wait for, so that whoever drives a
connection can drive these too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import generators
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.waiting import Wait

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn


def end_query(pgconn: PGconn) -> PQGen[None]:
    """Read and discard everything up to the end of the running query, ending a COPY in either direction."""
    while pgconn.transaction_status == TransactionStatus.ACTIVE:
        result = yield from generators.fetch(pgconn)
        if result is None:
            return
        if result.status == ExecStatus.COPY_IN:
            yield from _end_copy_in(pgconn)
        elif result.status == ExecStatus.COPY_OUT:
            yield from _end_copy_out(pgconn)


def _end_copy_in(pgconn: PGconn) -> PQGen[None]:
    pgconn.put_copy_end(b"cancelled")
    yield from generators.send(pgconn)


def _end_copy_out(pgconn: PGconn) -> PQGen[None]:
    while True:
        length, _ = pgconn.get_copy_data(1)
        if length < 0:
            return
        if length == 0:
            yield from _more_input(pgconn)


def _more_input(pgconn: PGconn) -> PQGen[None]:
    while not (yield Wait.R):
        pass
    pgconn.consume_input()
