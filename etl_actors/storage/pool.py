"""A small pool of connections, on trio's own primitives.

One semaphore counts the connections that may be lent out, and serves those who wait in the order they came. Idle
connections form a stack, so that the warm ones are used and the surplus ages at its bottom. A connection is looked at
before it is lent (a glance at its socket always, a round trip after a while of idleness) and after it came back (rolled
back, or closed when it is in a state nobody can vouch for). There is no task in the background: dead connections are
replaced by whoever asks next.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, TypeAlias

import msgspec
import trio
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ..errors import StorageBusy, StorageUnavailable
from .driver import Connection
from .hygiene import is_alive, made_clean
from .translation import translated

Configure: TypeAlias = Callable[[Connection[Any]], Awaitable[None]]

CHECKOUT_SECONDS = 30.0
CONNECT_SECONDS = 10  # unless the connection string has a connect_timeout of its own
SURPLUS_SECONDS = 60.0


class PoolStatistics(msgspec.Struct, frozen=True):
    """Counts of connections: ``open`` ones are ``idle`` or ``in_use``; ``waiting`` counts tasks without one."""

    open: int
    idle: int
    in_use: int
    waiting: int
    max: int


class Pool:
    """Lends connections; made by ``open_pool``."""

    def __init__(
        self,
        conninfo: str,
        *,
        min_connections: int,
        max_connections: int,
        configure: Configure | None = None,
        loan_seconds: float = math.inf,
    ) -> None:
        if not 0 <= min_connections <= max_connections or max_connections < 1:
            raise ValueError("a pool needs 0 <= min_connections <= max_connections, and at least one connection")
        self._conninfo = make_conninfo("", **{"connect_timeout": CONNECT_SECONDS, **conninfo_to_dict(conninfo)})
        self._min = min_connections
        self._max = max_connections
        self._configure = configure
        self._loan_seconds = loan_seconds
        self._turns = trio.Semaphore(max_connections, max_value=max_connections)
        self._idle: deque[tuple[float, Connection[Any]]] = deque()  # (idle since, connection), oldest first
        self._lent: set[Connection[Any]] = set()
        self._closed = False

    @asynccontextmanager
    async def connection(
        self, *, timeout: float | None = CHECKOUT_SECONDS, loan_seconds: float | None = None
    ) -> AsyncIterator[Connection[Any]]:
        """Lend a connection in autocommit mode for the length of the block; session settings stay as they were left.

        Waits up to ``timeout`` seconds for its turn (None: as long as it takes), then raises ``StorageBusy``. Raises
        ``StorageUnavailable`` when the server cannot be reached, or is lost within the block; and when the whole, the
        waiting and the block, takes longer than ``loan_seconds`` (None: those of the pool), since a server that hangs
        says nothing.
        """
        seconds = self._loan_seconds if loan_seconds is None else loan_seconds
        deadline = trio.current_time() + seconds
        await self._take_turn(min(seconds, math.inf if timeout is None else timeout))
        try:
            with trio.move_on_at(deadline) as loan:
                connection = await self._check_out()
                try:
                    with translated():
                        yield connection
                finally:
                    await self._take_back(connection)
            if loan.cancelled_caught:
                raise StorageUnavailable(f"PostgreSQL did not answer within {seconds:g} s")
        finally:
            self._turns.release()

    def statistics(self) -> PoolStatistics:
        """Counts of this moment."""
        idle, in_use = len(self._idle), len(self._lent)
        waiting = self._turns.statistics().tasks_waiting
        return PoolStatistics(open=idle + in_use, idle=idle, in_use=in_use, waiting=waiting, max=self._max)

    async def fill(self) -> None:
        """Open connections until ``min_connections`` are open. Raises ``StorageUnavailable``."""
        while len(self._idle) + len(self._lent) < self._min:
            connection = await self._connect()
            self._idle.appendleft((monotonic(), connection))

    async def aclose(self) -> None:
        """Close what is idle now, and what is lent as it comes back; nothing is lent any more."""
        self._closed = True
        while self._idle:
            await self._idle.pop()[1].close()

    async def _take_turn(self, timeout: float) -> None:
        try:
            self._turns.acquire_nowait()
        except trio.WouldBlock:
            with trio.move_on_after(timeout) as scope:
                await self._turns.acquire()
            if scope.cancelled_caught:
                message = f"all {self._max} connections to PostgreSQL stayed in use for {timeout:g} seconds"
                raise StorageBusy(message) from None

    async def _check_out(self) -> Connection[Any]:
        if self._closed:
            raise trio.ClosedResourceError("the pool is closed")
        while self._idle:
            since, connection = self._idle.pop()
            self._lent.add(connection)
            try:
                alive = await is_alive(connection, idle_seconds=monotonic() - since)
            except BaseException:
                await self._discard(connection)
                raise
            if alive:
                return connection
            await self._discard(connection)
        connection = await self._connect()
        self._lent.add(connection)
        return connection

    async def _connect(self) -> Connection[Any]:
        with translated():
            connection = await Connection[Any].connect(self._conninfo, autocommit=True)
            try:
                if self._configure:
                    await self._configure(connection)
            except BaseException:
                await connection.close()
                raise
        return connection

    async def _take_back(self, connection: Connection[Any]) -> None:
        try:
            reusable = await made_clean(connection)
        except BaseException:
            await self._discard(connection)
            raise
        if self._closed or not reusable:
            await self._discard(connection)
            return
        self._lent.discard(connection)
        self._idle.append((monotonic(), connection))
        await self._drop_surplus()

    async def _drop_surplus(self) -> None:
        oldest = self._idle[0][0]
        open_now = len(self._idle) + len(self._lent)
        if open_now > self._min and monotonic() - oldest > SURPLUS_SECONDS:
            await self._idle.popleft()[1].close()

    async def _discard(self, connection: Connection[Any]) -> None:
        self._lent.discard(connection)
        await connection.close()


@asynccontextmanager
async def open_pool(
    conninfo: str,
    *,
    min_connections: int = 1,
    max_connections: int = 10,
    configure: Configure | None = None,
    loan_seconds: float = math.inf,
) -> AsyncIterator[Pool]:
    """A pool for the length of the block, with ``min_connections`` open before it begins.

    ``configure`` is awaited once for every new connection; no loan lasts longer than ``loan_seconds``. Raises
    ``StorageUnavailable`` when the server cannot be reached.
    """
    pool = Pool(
        conninfo,
        min_connections=min_connections,
        max_connections=max_connections,
        configure=configure,
        loan_seconds=loan_seconds,
    )
    try:
        await pool.fill()
        yield pool
    finally:
        await pool.aclose()
