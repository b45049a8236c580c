"""The pool: its bounds, its fairness, and what it does about connections that went bad."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
import trio
import trio.testing
from psycopg.pq import TransactionStatus

from etl_actors.errors import StorageBusy, StorageUnavailable
from etl_actors.storage.driver.connection import Connection
from etl_actors.storage.pool import Pool, PoolStatistics, open_pool
from etl_actors.storage.translation import is_unavailable, translated

from .relay import open_relay


async def backend(connection: Connection[Any]) -> int:
    row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    return int(row[0])


async def terminate_all(pool_conninfo: str, pids: set[int]) -> None:
    async with await Connection.connect(pool_conninfo, autocommit=True) as other:
        for pid in pids:
            await other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


async def stay_idle(connection: Connection[Any]) -> None:
    await connection.execute("SELECT 1")
    await trio.sleep(0.2)
    await connection.execute("SELECT 1")


async def lose_server(connection: Connection[Any]) -> None:
    await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


async def test_minimum_is_open_before_the_first_loan(database: str) -> None:
    """``min_connections`` are open when the block begins, none when it has ended."""
    async with open_pool(database, min_connections=2, max_connections=3) as pool:
        assert pool.statistics() == PoolStatistics(open=2, idle=2, in_use=0, waiting=0, max=3)
        async with pool.connection() as connection:
            assert connection.autocommit
            assert pool.statistics() == PoolStatistics(open=2, idle=1, in_use=1, waiting=0, max=3)
    assert pool.statistics().open == 0


async def test_never_more_than_the_maximum(database: str) -> None:
    """Fifty tasks share three connections, and the server sees three."""
    most = 0

    async def work(pool: Pool) -> None:
        nonlocal most
        async with pool.connection() as connection:
            most = max(most, pool.statistics().open)
            await connection.execute("SELECT pg_sleep(0.001)")

    async with open_pool(database, min_connections=0, max_connections=3) as pool:
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(work, pool)
        async with pool.connection() as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            row = await (await connection.execute(query)).fetchone()
    assert most == 3
    assert row == (3,)


async def test_waiters_are_served_in_the_order_they_came(database: str) -> None:
    """First come, first served, also against a task that asks again at once."""
    order: list[int] = []

    async def work(pool: Pool, number: int) -> None:
        async with pool.connection():
            order.append(number)

    async with open_pool(database, min_connections=1, max_connections=1) as pool, trio.open_nursery() as nursery:
        async with pool.connection():
            for number in range(5):
                nursery.start_soon(work, pool, number)
                await trio.testing.wait_all_tasks_blocked()
            assert pool.statistics().waiting == 5
        await work(pool, 99)
    assert order == [0, 1, 2, 3, 4, 99]


async def test_waiting_too_long_is_busy(database: str) -> None:
    """``StorageBusy`` says how many connections there are and how long the caller waited; the pool is unharmed."""
    async with open_pool(database, min_connections=1, max_connections=1) as pool:
        async with pool.connection():
            with pytest.raises(StorageBusy, match=r"all 1 connections .* 0\.05 seconds"):
                async with pool.connection(timeout=0.05):
                    raise AssertionError("lent twice")
        async with pool.connection(timeout=0):
            pass


async def test_cancelled_waiter_takes_nothing_with_it(database: str) -> None:
    """A task that gives up while it waits leaves its turn to the next."""
    async with open_pool(database, min_connections=1, max_connections=1) as pool:
        async with pool.connection():
            with trio.move_on_after(0.02):
                async with pool.connection(timeout=None):
                    raise AssertionError("lent twice")
        async with pool.connection(timeout=1) as connection:
            assert await backend(connection)


async def test_dead_idle_connections_are_replaced_unseen(database: str) -> None:
    """Connections that died while idle are never lent: the borrower gets a new one without an error."""
    async with open_pool(database, min_connections=3, max_connections=3) as pool:
        old = set()
        async with pool.connection() as one, pool.connection() as two, pool.connection() as three:
            old = {await backend(connection) for connection in (one, two, three)}
        await terminate_all(database, old)
        async with pool.connection() as connection:
            assert await backend(connection) not in old
        assert pool.statistics().open == 1


async def test_silently_dead_connection_is_noticed_after_idling(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that went dead without a word is found by the round trip that follows a while of idleness."""
    monkeypatch.setattr("etl_actors.storage.hygiene.CHECK_AFTER_SECONDS", 0.0)
    monkeypatch.setattr("etl_actors.storage.hygiene.CHECK_SECONDS", 0.2)
    monkeypatch.setattr("etl_actors.storage.driver.connection.CANCEL_SECONDS", 0.2)
    async with open_relay(database) as relay:
        conninfo = f"{database} host=127.0.0.1 port={relay.port}"
        async with open_pool(conninfo, min_connections=1, max_connections=1) as pool:
            relay.frozen = True
            with trio.move_on_after(1):
                async with pool.connection():
                    raise AssertionError("a dead connection was lent")
            relay.frozen = False
            async with pool.connection() as connection:
                assert await backend(connection)


async def test_open_transaction_is_rolled_back_on_return(database: str) -> None:
    """What a borrower left open is undone before the next one sees the connection."""
    async with open_pool(database, min_connections=1, max_connections=1) as pool:
        async with pool.connection() as connection:
            pid = await backend(connection)
            await connection.execute("BEGIN")
            await connection.execute("CREATE TABLE t (n int)")
        async with pool.connection() as connection:
            assert connection.pgconn.transaction_status == TransactionStatus.IDLE
            assert await backend(connection) == pid
            row = await (await connection.execute("SELECT to_regclass('t')")).fetchone()
            assert row == (None,)


async def test_autocommit_is_restored_on_return(database: str) -> None:
    """A borrower may switch autocommit off for itself only."""
    async with open_pool(database, min_connections=1, max_connections=1) as pool:
        async with pool.connection() as connection:
            await connection.set_autocommit(False)
            await connection.execute("SELECT 1")
        async with pool.connection() as connection:
            assert connection.autocommit


async def test_cancelled_borrower_returns_a_clean_connection(database: str) -> None:
    """A query cancelled with its task does not cost the pool anything."""
    async with open_pool(database, min_connections=1, max_connections=1) as pool:
        with trio.move_on_after(0.1):
            async with pool.connection() as connection, connection.transaction():
                await connection.execute("SELECT pg_sleep(60)")
        with trio.fail_after(5):
            async with pool.connection() as connection:
                assert await backend(connection)
        assert pool.statistics() == PoolStatistics(open=1, idle=1, in_use=0, waiting=0, max=1)


async def test_a_loan_is_ended_when_it_lasts_too_long(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``StorageUnavailable``: on a server that hangs, and for a query that takes too long on one that does not."""
    monkeypatch.setattr("etl_actors.storage.driver.connection.CANCEL_SECONDS", 0.2)
    async with open_relay(database) as relay:
        conninfo = f"{database} host=127.0.0.1 port={relay.port}"
        async with open_pool(conninfo, min_connections=1, max_connections=1, loan_seconds=0.3) as pool:
            with pytest.raises(StorageUnavailable, match=r"within 0\.3 s"):
                async with pool.connection() as connection:
                    await connection.execute("SELECT pg_sleep(60)")
            async with pool.connection() as connection:
                assert await backend(connection)
            async with pool.connection(loan_seconds=60) as connection:
                await connection.execute("SELECT pg_sleep(0.5)")
            relay.frozen = True
            with pytest.raises(StorageUnavailable, match=r"within 0\.3 s"):
                async with pool.connection() as connection:
                    await connection.execute("SELECT 1")
            assert pool.statistics().in_use == 0


async def test_surplus_is_closed_when_it_aged(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections above the minimum go once they are no longer needed."""
    monkeypatch.setattr("etl_actors.storage.pool.SURPLUS_SECONDS", 0.0)
    async with open_pool(database, min_connections=1, max_connections=4) as pool:
        async with pool.connection(), pool.connection(), pool.connection():
            assert pool.statistics().open == 3
        assert pool.statistics().open == 1


async def test_every_new_connection_is_configured(database: str) -> None:
    """``configure`` is awaited for each connection before anybody gets it; when it fails, none leaks."""

    async def configure(connection: Connection[Any]) -> None:
        await connection.execute("SET application_name = 'configured'")

    async with (
        open_pool(database, max_connections=2, configure=configure) as pool,
        pool.connection(),
        pool.connection() as connection,
    ):
        row = await (await connection.execute("SHOW application_name")).fetchone()
        assert row == ("configured",)

    async def refuse(connection: Connection[Any]) -> None:
        await connection.execute("SET nonsense = 1")

    with pytest.raises(psycopg.errors.UndefinedObject):
        async with open_pool(database, configure=refuse):
            pass


async def test_server_that_refuses_is_unavailable() -> None:
    """Nobody listening is ``StorageUnavailable``, chained to psycopg's error."""
    with pytest.raises(StorageUnavailable) as refused:
        async with open_pool("host=127.0.0.2 port=1 dbname=x user=x"):
            pass
    assert isinstance(refused.value.__cause__, psycopg.OperationalError)


async def test_server_lost_inside_the_block_is_unavailable(database: str) -> None:
    """A server lost under a borrower is ``StorageUnavailable``; the connection is not kept."""
    async with open_pool(database, min_connections=1, max_connections=1) as pool:
        with pytest.raises(StorageUnavailable):
            async with pool.connection() as connection:
                await lose_server(connection)
        assert pool.statistics().open == 0


async def test_frozen_transaction_ended_by_the_server_is_unavailable(database: str) -> None:
    """``idle_in_transaction_session_timeout`` arrives as psycopg's InternalError and means the same."""
    conninfo = f"{database} options='-c idle_in_transaction_session_timeout=50ms'"
    async with open_pool(conninfo, max_connections=1) as pool:
        with pytest.raises(StorageUnavailable) as lost:
            async with pool.connection() as connection, connection.transaction():
                await stay_idle(connection)
        assert isinstance(lost.value.__cause__, psycopg.Error)


async def test_our_own_mistakes_are_not_unavailability(database: str) -> None:
    """Bad SQL and broken constraints leave as psycopg's own errors, and the connection is kept."""
    async with open_pool(database, max_connections=1) as pool:
        with pytest.raises(psycopg.errors.UndefinedTable):
            async with pool.connection() as connection:
                await connection.execute("SELECT * FROM nowhere")
        assert pool.statistics().idle == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.errors.AdminShutdown, True),
        (psycopg.errors.CannotConnectNow, True),
        (psycopg.errors.TooManyConnections, True),
        (psycopg.errors.DiskFull, True),
        (psycopg.errors.DeadlockDetected, True),
        (psycopg.errors.IdleInTransactionSessionTimeout, True),
        (psycopg.errors.ConnectionTimeout, True),
        (psycopg.OperationalError, True),
        (psycopg.errors.UniqueViolation, False),
        (psycopg.errors.SyntaxError, False),
        (psycopg.errors.InvalidPassword, False),
        (psycopg.ProgrammingError, False),
    ],
)
def test_errors_are_sorted_by_whether_waiting_helps(error: type[psycopg.Error], expected: bool) -> None:
    """Trouble of the server passes; mistakes do not."""
    assert is_unavailable(error("x")) is expected
    with pytest.raises(StorageUnavailable if expected else error), translated():
        raise error("x")


async def test_closed_pool_lends_nothing(database: str) -> None:
    """Asking a closed pool is a mistake of the caller, told as trio tells it; what was lent is closed on return."""
    async with open_pool(database, max_connections=2) as pool:
        async with pool.connection() as connection:
            await pool.aclose()
        assert connection.closed
        with pytest.raises(trio.ClosedResourceError):
            async with pool.connection():
                pass
