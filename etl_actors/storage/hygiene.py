"""Whether a pooled connection can be lent, and whether one that came back can be kept."""

from __future__ import annotations

from typing import Any

import psycopg
import trio
from psycopg.pq import TransactionStatus
from psycopg.waiting import Wait

from .driver import Connection
from .driver.readiness import ready_nowait

CHECK_AFTER_SECONDS = 5.0
CHECK_SECONDS = 5.0
RETURN_SECONDS = 5.0


async def is_alive(connection: Connection[Any], *, idle_seconds: float) -> bool:
    """A glance at the socket, and a round trip to the server when it lay idle for a while."""
    try:
        if ready_nowait(connection.pgconn.socket, Wait.R):
            # An idle server is silent: this is its farewell, or a notice, which the round trip below tells apart.
            idle_seconds = CHECK_AFTER_SECONDS
        if idle_seconds >= CHECK_AFTER_SECONDS:
            with trio.fail_after(CHECK_SECONDS):
                await connection.execute("")
    except (psycopg.Error, trio.TooSlowError):
        return False
    return True


async def made_clean(connection: Connection[Any]) -> bool:
    """Bring a connection that comes back to idle, autocommitting; False when it must be closed."""
    status = connection.pgconn.transaction_status
    if status in (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN) or connection._pipeline:
        return False
    if status == TransactionStatus.IDLE and connection.autocommit:
        return True
    with trio.move_on_after(RETURN_SECONDS, shield=True):
        try:
            await connection.rollback()
            await connection.set_autocommit(True)
        except psycopg.Error:
            return False
        return True
    return False
