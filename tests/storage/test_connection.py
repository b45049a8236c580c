"""psycopg on trio: every private behaviour of psycopg that the connection stands on is shown here on a real server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import psycopg
import pytest
import trio
import trio.testing
from psycopg.pq import TransactionStatus
from psycopg.waiting import Ready, Wait

from etl_actors.storage.driver.connection import Connection
from etl_actors.storage.driver.readiness import ready_nowait, wait_ready

from ..postgres import KeptServer
from .relay import open_relay

ROWS = 100_000


async def connect(conninfo: str, **parameters: Any) -> Connection[Any]:
    return await Connection[Any].connect(conninfo, autocommit=True, **parameters)


async def value(connection: Connection[Any], query: str, *parameters: object) -> Any:
    row = await (await connection.execute(query, parameters)).fetchone()
    return row[0]


async def test_select_makes_a_round_trip(database: str) -> None:
    """A parameter goes to the server and comes back."""
    async with await connect(database) as connection:
        assert await value(connection, "SELECT %s::int + 1", 41) == 42


async def test_no_asyncio_is_running_or_needed(database: str) -> None:
    """psycopg's lock and waiting, replaced here, are the only places where it reached for asyncio's loop."""
    async with await connect(database) as connection:
        async with connection.transaction():
            await connection.execute("CREATE TABLE t (n int)")
            async with connection.pipeline():
                for number in range(300):
                    await connection.execute("INSERT INTO t VALUES (%s)", (number,))
        cursor = connection.cursor()
        await cursor.executemany("INSERT INTO t VALUES (%s)", [(n,) for n in range(300)])
        assert [row async for row in cursor.stream("SELECT count(*) FROM t")] == [(600,)]


async def test_copy_in_and_out_keeps_every_row(database: str) -> None:
    """100,000 rows go in by COPY and come out by COPY, the same."""
    async with await connect(database) as connection:
        await connection.execute("CREATE TABLE t (n int, body text)")
        cursor = connection.cursor()
        async with cursor.copy("COPY t FROM STDIN") as copy:
            for number in range(ROWS):
                await copy.write_row((number, "x" * 20))
        assert cursor.rowcount == ROWS
        async with cursor.copy("COPY (SELECT n FROM t ORDER BY n) TO STDOUT") as copy:
            numbers = [int(row[0]) async for row in copy.rows()]
        assert numbers == list(range(ROWS))


async def test_a_long_copy_leaves_the_loop_to_others(database: str) -> None:
    """Writes that never block still give the event loop its turn every few milliseconds."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        last = monotonic()
        while True:
            await trio.lowlevel.checkpoint()
            longest, last = max(longest, monotonic() - last), monotonic()

    async with await connect(database) as connection, trio.open_nursery() as nursery:
        await connection.execute("CREATE TABLE t (n int, body text)")
        nursery.start_soon(watch)
        async with connection.cursor().copy("COPY t FROM STDIN") as copy:
            for number in range(ROWS):
                await copy.write_row((number, "x" * 100))
        nursery.cancel_scope.cancel()
    # 4 ms by design; the rest is for a busy machine. Held for the whole COPY it would be ten times as long.
    assert longest < 0.05


async def test_large_requests_and_replies_do_not_deadlock(database: str) -> None:
    """A pipeline that fills both directions needs readable and writable waited for at once."""
    async with await connect(database) as connection:
        body = "x" * 100_000
        async with connection.pipeline():
            cursors = [await connection.execute("SELECT repeat(%s, 10)", (body,)) for _ in range(50)]
        assert all([len((await cursor.fetchone())[0]) == 1_000_000 for cursor in cursors])  # type: ignore[index]


async def test_both_directions_are_waited_for_at_once() -> None:
    """With a full send buffer, whichever direction becomes ready first ends the wait; closing ends it too."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                ours.send(b"x" * 65536)
        assert ready_nowait(ours.fileno(), Wait.RW) == Ready.NONE
        async with trio.open_nursery() as nursery:
            nursery.start_soon(later, lambda: theirs.send(b"x"))
            assert await wait_ready(ours.fileno(), Wait.RW) == Ready.R
        assert ready_nowait(ours.fileno(), Wait.RW) == Ready.R
        ours.recv(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(later, lambda: trio.lowlevel.notify_closing(ours))
            with pytest.raises(trio.ClosedResourceError):
                await wait_ready(ours.fileno(), Wait.RW)


async def later(act: Callable[[], object]) -> None:
    await trio.testing.wait_all_tasks_blocked()
    act()


async def test_cancelled_task_cancels_the_query_on_the_server(database: str) -> None:
    """A query whose task was cancelled is gone from the server, and its connection goes on working."""
    async with await connect(database) as connection, await connect(database) as observer:
        with trio.move_on_after(0.1) as scope:
            await connection.execute("SELECT pg_sleep(60)")
        assert scope.cancelled_caught
        sleeping = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%%pg_sleep(60)'"
        assert await value(observer, sleeping) == 0
        assert connection.pgconn.transaction_status == TransactionStatus.IDLE
        assert await value(connection, "SELECT 1") == 1


async def test_cancelled_transaction_is_rolled_back(database: str) -> None:
    """The ROLLBACK of a cancelled block is sent although its scope is cancelled."""
    async with await connect(database) as connection:
        await connection.execute("CREATE TABLE t (n int)")
        with trio.move_on_after(0.1):
            async with connection.transaction():
                await connection.execute("INSERT INTO t VALUES (1)")
                await trio.sleep_forever()
        assert connection.pgconn.transaction_status == TransactionStatus.IDLE
        async with connection.transaction():
            assert await value(connection, "SELECT count(*) FROM t") == 0


async def test_cancelled_copy_in_stores_nothing(database: str) -> None:
    """A COPY cancelled between writes is ended as failed; the connection stays usable."""
    async with await connect(database) as connection:
        await connection.execute("CREATE TABLE t (n int)")
        with trio.move_on_after(0.1):
            async with connection.cursor().copy("COPY t FROM STDIN") as copy:
                await copy.write_row((1,))
                await trio.sleep_forever()
        assert connection.pgconn.transaction_status == TransactionStatus.IDLE
        assert await value(connection, "SELECT count(*) FROM t") == 0


async def test_copy_in_cancelled_while_the_server_blocks_is_ended(database: str) -> None:
    """A COPY whose server waits for a lock, its buffers full, ends when its task is cancelled."""
    async with await connect(database) as connection, await connect(database) as blocker:
        await connection.execute("CREATE TABLE t (body text)")
        async with blocker.transaction():
            await connection.execute("CREATE INDEX ON t (md5(body))")
            await connection.execute(
                "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$"
            )
            await connection.execute("CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()")
            with trio.move_on_after(0.3) as scope:
                async with connection.cursor().copy("COPY t FROM STDIN") as copy:
                    while True:
                        await copy.write_row(("x" * 10_000,))
            assert scope.cancelled_caught
        assert connection.pgconn.transaction_status == TransactionStatus.IDLE
        assert await value(connection, "SELECT count(*) FROM t") == 0


async def test_cancelled_copy_out_and_stream_leave_a_usable_connection(database: str) -> None:
    """What the server had sent already is read and dropped."""
    async with await connect(database) as connection:
        with trio.move_on_after(0.05):
            async with connection.cursor().copy("COPY (SELECT generate_series(1, 50000000)) TO STDOUT") as copy:
                async for _ in copy:
                    pass
        assert connection.pgconn.transaction_status == TransactionStatus.IDLE
        with trio.move_on_after(0.05):
            rows = connection.cursor().stream("SELECT generate_series(1, 50000000)")
            try:
                async for _ in rows:
                    pass
            finally:
                await rows.aclose()  # type: ignore[attr-defined]  # it is an async generator
        assert connection.pgconn.transaction_status == TransactionStatus.IDLE
        assert await value(connection, "SELECT 1") == 1


async def test_cancelled_pipeline_closes_rather_than_confuses(database: str) -> None:
    """A connection in a pipeline is usable or closed after a cancellation, never out of step."""
    async with await connect(database) as connection:
        with trio.move_on_after(0.1):
            async with connection.pipeline():
                await connection.execute("SELECT 1")
                cursor = await connection.execute("SELECT pg_sleep(60)")
                await cursor.fetchone()
        assert connection.closed or connection.pgconn.transaction_status == TransactionStatus.IDLE


async def test_cancel_that_cannot_reach_the_server_is_bounded(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the line is dead, a cancelled task waits a bounded time and the connection is closed."""
    monkeypatch.setattr("etl_actors.storage.driver.connection.CANCEL_SECONDS", 0.3)
    async with open_relay(database) as relay:
        connection = await connect(database, host="127.0.0.1", port=relay.port)
        relay.frozen = True
        started = monotonic()
        with trio.move_on_after(0.1):
            await connection.execute("SELECT pg_sleep(60)")
        assert monotonic() - started < 2
        assert connection.closed


async def test_terminated_backend_is_seen(database: str) -> None:
    """A session ended by the server is an OperationalError at the next statement, and closed."""
    async with await connect(database) as connection, await connect(database) as other:
        await other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            await value(connection, "SELECT 1")
        assert connection.closed


async def test_killed_backend_is_seen_in_the_middle_of_a_query(database: str) -> None:
    """A line cut while a query runs is an OperationalError too."""
    async with open_relay(database) as relay:
        connection = await connect(database, host="127.0.0.1", port=relay.port)
        async with trio.open_nursery() as nursery:

            async def cut() -> None:
                await trio.sleep(0.1)
                os.kill(connection.info.backend_pid, signal.SIGTERM)

            nursery.start_soon(cut)
            with pytest.raises(psycopg.OperationalError):
                await connection.execute("SELECT pg_sleep(60)")
        assert connection.closed


async def test_closing_wakes_the_task_that_waits(database: str) -> None:
    """Closing a connection under a running query raises there at once instead of leaving it hanging."""
    connection = await connect(database)
    async with trio.open_nursery() as nursery:

        async def close() -> None:
            await trio.sleep(0.1)
            await connection.close()

        nursery.start_soon(close)
        with trio.fail_after(5), pytest.raises(psycopg.OperationalError):
            await connection.execute("SELECT pg_sleep(5)")


async def test_notifications_arrive_and_time_out(database: str) -> None:
    """``notifies`` ends after its timeout, and with a timeout of nothing still takes what is there."""
    async with await connect(database) as listener, await connect(database) as sender:
        await listener.execute("LISTEN news")
        assert [n async for n in listener.notifies(timeout=0.05)] == []
        await sender.execute("NOTIFY news, 'first'")
        assert [n.payload async for n in listener.notifies(timeout=5, stop_after=1)] == ["first"]
        await sender.execute("NOTIFY news, 'second'")
        await trio.sleep(0.05)
        assert [n.payload async for n in listener.notifies(timeout=0)] == ["second"]


async def test_second_host_is_tried_when_the_first_refuses(database: str) -> None:
    """Several hosts in one connection string are tried in turn."""
    async with (
        open_relay(database) as relay,
        await connect(database, host="127.0.0.2,127.0.0.1", port=relay.port) as connection,
    ):
        assert connection.info.hostaddr == "127.0.0.1"


class TwoAddresses(trio.abc.HostnameResolver):
    """Resolves every name to an address where nobody listens, then to one where somebody does."""

    async def getaddrinfo(self, host: Any, port: Any, *_: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise NotImplementedError


async def test_every_address_of_a_name_is_tried(database: str) -> None:
    """A name with several addresses, of which the first refuses, leads to the second."""
    before = trio.socket.set_custom_hostname_resolver(TwoAddresses())
    try:
        async with (
            open_relay(database) as relay,
            await connect(database, host="db.example.test", port=relay.port) as connection,
        ):
            assert (connection.info.host, connection.info.hostaddr) == ("db.example.test", "127.0.0.1")
    finally:
        trio.socket.set_custom_hostname_resolver(before)


async def test_refusal_names_every_address_that_was_tried(database: str) -> None:
    """When nobody answers, the error tells the reason of each attempt."""
    with pytest.raises(psycopg.OperationalError) as refused:
        await connect(database, host="127.0.0.2,127.0.0.3", port=1)
    assert "127.0.0.2" in str(refused.value)
    assert "127.0.0.3" in str(refused.value)


async def test_connect_gives_up_on_a_silent_server(database: str) -> None:
    """A host that takes connections but says nothing costs ``connect_timeout`` seconds, not for ever."""
    async with open_relay(database) as relay:
        relay.frozen = True
        with trio.fail_after(6), pytest.raises(psycopg.errors.ConnectionTimeout):
            await connect(database, host="127.0.0.1", port=relay.port, connect_timeout=2)


async def test_cancelled_connect_leaves_no_socket(database: str) -> None:
    """Giving up on a connect half way closes its socket."""
    open_before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # the folder is the kernel's
    async with open_relay(database) as relay:
        relay.frozen = True
        with trio.move_on_after(0.1) as scope:
            await connect(database, host="127.0.0.1", port=relay.port)
        assert scope.cancelled_caught
    assert len(os.listdir("/proc/self/fd")) <= open_before  # noqa: PTH208  # see above


async def test_tasks_take_turns_on_one_connection(database: str) -> None:
    """Two tasks on one connection wait for each other instead of mixing their replies."""
    async with await connect(database) as connection:

        async def ask(number: int) -> None:
            for _ in range(50):
                assert await value(connection, "SELECT %s::int", number) == number

        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(ask, number)


async def test_cancelled_block_still_closes_its_connection(database: str) -> None:
    """``async with`` on a connection closes it also when its scope is cancelled, so nothing warns."""
    with trio.move_on_after(0.05):
        async with await Connection.connect(database) as connection:
            await connection.execute("SELECT 1")
            await trio.sleep_forever()
    assert connection.closed


def test_connection_module_stands_alone(postgres: KeptServer) -> None:
    """The connection needs psycopg and trio and nothing else of this package."""
    code = (
        "import sys; import etl_actors.storage.driver.connection;"
        "print(*sorted(m for m in sys.modules if m.startswith('etl_actors.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    others = [name for name in done.stdout.split() if not name.startswith("etl_actors.storage.driver")]
    assert others == ["etl_actors.storage"]
