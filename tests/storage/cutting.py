"""A door to the database that hangs up right after the server answered a chosen statement: the answer is lost. Or it
says nothing any more, as behind a router that died.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import trio
from psycopg.conninfo import conninfo_to_dict, make_conninfo


class CuttingDoor:
    """Passes everything on, until the client says ``cut_on``: that is carried out, and its answer reaches nobody.

    With ``early`` it does not reach the server either; with ``silent`` it does not hang up, it only passes nothing on.
    While it is ``dead``, that is so of every connection, of new ones as well. Each answer comes ``latency`` seconds
    later than it would. ``heard`` is called with all that clients say.
    """

    def __init__(self, database: str) -> None:
        parameters = conninfo_to_dict(database)
        self._socket = f"{parameters['host']}/.s.PGSQL.{parameters['port']}"
        self.cut_on: bytes | None = None
        self.early = self.silent = self.dead = False
        self.latency = 0.0
        self.heard: Callable[[bytes], None] = lambda data: None
        self.cuts = 0

    async def _cut(self) -> None:
        self.cut_on = None
        self.cuts += 1
        if self.silent:
            await trio.sleep_forever()

    async def _wait_alive(self) -> None:
        while self.dead:  # noqa: ASYNC110  # nothing comes of a dead line, not even that it died
            await trio.sleep(0.01)

    async def serve(self, client: trio.SocketStream) -> None:
        """One connection."""
        try:
            server = await trio.open_unix_socket(self._socket)
        except OSError:  # there is none now
            await client.aclose()
            return
        done: bytes | None = None  # what the server says when the statement is done: its verb

        async def to_server() -> None:
            nonlocal done
            async for data in client:
                self.heard(data)
                if self.cut_on is not None and self.cut_on in data:
                    if self.early:
                        await self._cut()
                        return
                    done = self.cut_on.split()[0]
                await self._wait_alive()
                await server.send_all(data)

        async def to_client() -> None:
            async for data in server:
                # What was sent with it may be answered first; cut then, the server would not have come to it.
                if done is not None and done in data:
                    await self._cut()
                    return
                if self.latency:
                    await trio.sleep(self.latency)
                await self._wait_alive()
                await client.send_all(data)

        async with client, server, trio.open_nursery() as nursery:
            for way in (to_server, to_client):

                async def until_broken(way: object = way) -> None:
                    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                        await way()  # type: ignore[operator]  # one of the two above
                    nursery.cancel_scope.cancel()

                nursery.start_soon(until_broken)


@asynccontextmanager
async def cutting_door(database: str) -> AsyncIterator[tuple[CuttingDoor, str]]:
    """The door and the connection string that leads through it."""
    door = CuttingDoor(database)
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, door.serve, [listener])
        yield door, make_conninfo(database, host="127.0.0.1", port=port)
        nursery.cancel_scope.cancel()
