"""psycopg 3 on trio: an ``AsyncConnection`` whose waiting is done by trio's event loop itself.

Everything psycopg offers on a connection (cursors, COPY, pipelines, transactions, notifications) is its own code; this
class replaces the places where it touches asyncio: connecting, waiting, the lock, cancelling. It stands on psycopg's
private names, which are stable within a minor version only.

Cancelling a task that waits for the server cancels the query there and reads its end, shielded and bounded to
``CANCEL_SECONDS``: afterwards the connection is usable, or closed, but never left in the middle of a query. Code that
psycopg runs on the way out of a cancelled block (the ROLLBACK of a transaction, the end of a COPY) is sent and ended
the same way.
"""

from __future__ import annotations

import logging
import math
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psycopg
import trio
from psycopg import errors
from psycopg._capabilities import capabilities
from psycopg.adapt import AdaptersMap
from psycopg.conninfo import conninfo_to_dict, make_conninfo, timeout_from_conninfo
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import AsyncRowFactory, Row

from .attempts import Parameters, connection_attempts
from .ending import end_query
from .lock import ConnectionLock
from .readiness import Driver

if TYPE_CHECKING:
    from psycopg.abc import RV, AdaptContext, ConnParam, PQGen
    from psycopg.cursor_async import AsyncCursor
    from psycopg.pq.abc import PGconn

# A few round trips across a continent; a server that says nothing is not to hold up whoever stops.
CANCEL_SECONDS = 0.25

logger = logging.getLogger(__name__)


class Connection(psycopg.AsyncConnection[Row]):
    """A connection to PostgreSQL for trio; use it as psycopg's ``AsyncConnection``.

    A lost server is a ``psycopg.OperationalError``. A query whose task was cancelled may or may not have had its
    effect, as with a connection that breaks.
    """

    def __init__(self, pgconn: PGconn, row_factory: AsyncRowFactory[Row] | None = None) -> None:
        if row_factory is None:
            super().__init__(pgconn)
        else:
            super().__init__(pgconn, row_factory)
        self.lock = ConnectionLock()  # type: ignore[assignment]  # psycopg only ever enters and leaves it
        self._driver = Driver()

    @classmethod
    async def connect(
        cls,
        conninfo: str = "",
        *,
        autocommit: bool = False,
        prepare_threshold: int | None = 5,
        context: AdaptContext | None = None,
        row_factory: AsyncRowFactory[Row] | None = None,
        cursor_factory: type[AsyncCursor[Row]] | None = None,
        **kwargs: ConnParam,
    ) -> Self:
        """Connect, trying every address of every host in turn, each for ``connect_timeout`` seconds.

        ``kwargs`` are libpq's parameters and win over those in ``conninfo``: ``keepalives_idle=5``,
        ``tcp_user_timeout=10_000`` (milliseconds), ``options="-c statement_timeout=4s"`` and so on.
        Raises ``psycopg.OperationalError`` (``ConnectionTimeout`` when time ran out) with the reason of each attempt.
        """
        parameters = conninfo_to_dict(conninfo, **kwargs)
        seconds = timeout_from_conninfo(parameters)
        connection = await cls._connect_to_any(await _attempts_within(parameters, seconds), seconds)
        connection._autocommit = autocommit
        connection.prepare_threshold = prepare_threshold
        if row_factory:
            connection.row_factory = row_factory
        if cursor_factory:
            connection.cursor_factory = cursor_factory
        if context:
            connection._adapters = AdaptersMap(context.adapters)
        return connection

    @classmethod
    async def _connect_to_any(cls, attempts: list[Parameters], seconds: float) -> Self:
        failures: list[tuple[str, errors.Error]] = []
        for attempt in attempts:
            try:
                with trio.fail_after(seconds):
                    return await Driver().run_moving(cls._connect_gen(make_conninfo("", **attempt)))
            except trio.TooSlowError:
                failure: errors.Error = errors.ConnectionTimeout(f"no answer within {seconds} seconds")
            except errors.Error as error:
                failure = error
            failures.append((_described(attempt), failure))
        if len(failures) == 1:
            raise failures[0][1].with_traceback(None)
        last = failures[-1][1]
        reasons = "\n".join(f"- {place}: {error}" for place, error in failures)
        raise type(last)(f"no address could be connected to:\n{reasons}", pgconn=last.pgconn)

    async def wait(self, gen: PQGen[RV], interval: float = 0.0, timeout: float | None = None) -> RV:
        """Run a protocol generator; ``interval`` is ignored, since trio needs no polling to notice an interruption."""
        try:
            if timeout is None:
                return await self._driver.run(gen, self.pgconn.socket)
            return await self._driver.run_for(gen, self.pgconn.socket, timeout)
        except (trio.Cancelled, KeyboardInterrupt):
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                await self._abandon(gen)
            raise
        except (trio.ClosedResourceError, OSError) as error:
            raise errors.OperationalError("the connection was closed while it was waiting") from error

    async def _abandon(self, gen: PQGen[RV]) -> None:
        """Cancel the running query on the server and read to its end; if that fails or takes long, hang up."""
        try:
            with trio.move_on_after(CANCEL_SECONDS, shield=True):
                await self._try_cancel(timeout=CANCEL_SECONDS)
                # A pipeline may hold results of any number of commands: not worth untangling.
                if self.pgconn.pipeline_status == PipelineStatus.OFF:
                    # psycopg's own generator first, as it keeps psycopg's books (depth of transactions and such).
                    with suppress(errors.Error):
                        await self._driver.run(gen, self.pgconn.socket)
                    with suppress(errors.Error):
                        await self._driver.run(end_query(self.pgconn), self.pgconn.socket)
        finally:
            in_pipeline = self.pgconn.pipeline_status != PipelineStatus.OFF
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE or in_pipeline:
                logger.info("a cancelled query did not end in time; the connection is closed")
                self.hang_up()

    async def cancel_safe(self, *, timeout: float = 30.0) -> None:
        """Cancel what runs on the server; return when the request has arrived there.

        Raises ``psycopg.errors.CancellationTimeout`` after ``timeout`` seconds (0: never).
        """
        if not self._should_cancel():
            return
        if not capabilities.has_cancel_safe():
            await trio.to_thread.run_sync(self.cancel)
            return
        with trio.move_on_after(timeout or math.inf) as scope:
            await Driver().run_moving(self._cancel_gen())
        if scope.cancelled_caught:
            raise errors.CancellationTimeout("cancellation timeout expired")

    async def _try_cancel(self, *, timeout: float = CANCEL_SECONDS) -> None:
        # psycopg calls this while it cleans up, which in trio happens inside the cancelled scope.
        with trio.CancelScope(shield=True):
            await super()._try_cancel(timeout=timeout)

    async def close(self) -> None:
        """Close at once, without a checkpoint; another task that waits on it gets ``psycopg.OperationalError``."""
        if not self.closed:
            self._closed = True
            self.hang_up()

    def hang_up(self) -> None:
        """Drop the socket, whatever the state of the connection."""
        with suppress(errors.OperationalError):  # the socket is gone already
            trio.lowlevel.notify_closing(self.pgconn.socket)
        self.pgconn.finish()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        # A cancelled ROLLBACK raises Cancelled, which psycopg's own version lets pass without closing.
        try:
            await super().__aexit__(exc_type, exc_val, exc_tb)
        finally:
            await self.close()


async def _attempts_within(parameters: Parameters, seconds: float) -> list[Parameters]:
    try:
        with trio.fail_after(seconds):
            return await connection_attempts(parameters)
    except trio.TooSlowError:
        raise errors.ConnectionTimeout(f"no answer from the name server within {seconds} seconds") from None


def _described(attempt: Parameters) -> str:
    return " ".join(f"{key}={attempt[key]}" for key in ("host", "hostaddr", "port") if attempt.get(key))
