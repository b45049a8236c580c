"""A TCP door to a server that listens on a unix socket only: for tests of hosts, addresses and broken lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio
from psycopg.conninfo import conninfo_to_dict


class Relay:
    """``port`` on 127.0.0.1; ``frozen`` set, nothing is passed on any more, as behind a dead router; between
    :meth:`shut` and :meth:`open`, everybody is sent away, as while the server is stopped.
    """

    def __init__(self, conninfo: str) -> None:
        parameters = conninfo_to_dict(conninfo)
        self._socket = f"{parameters['host']}/.s.PGSQL.{parameters['port']}"
        self.frozen = False
        self.port = 0
        self.accepted = 0
        self._is_shut = False
        self._scopes: set[trio.CancelScope] = set()

    def shut(self) -> None:
        """End every connection, and let nobody in."""
        self._is_shut = True
        for scope in self._scopes:
            scope.cancel()

    def open(self) -> None:
        """As before."""
        self._is_shut = False

    async def serve(self, stream: trio.SocketStream) -> None:
        self.accepted += 1
        if self._is_shut:
            await stream.aclose()
            return
        server = await trio.open_unix_socket(self._socket)
        async with stream, server, trio.open_nursery() as nursery:
            self._scopes.add(nursery.cancel_scope)
            nursery.start_soon(self._pass_on, stream, server, nursery.cancel_scope)
            nursery.start_soon(self._pass_on, server, stream, nursery.cancel_scope)
        self._scopes.discard(nursery.cancel_scope)

    async def _pass_on(self, source: trio.SocketStream, target: trio.SocketStream, scope: trio.CancelScope) -> None:
        with suppress(trio.BrokenResourceError):
            while data := await source.receive_some():
                if self.frozen:
                    await trio.sleep_forever()
                await target.send_all(data)
        scope.cancel()


@asynccontextmanager
async def open_relay(conninfo: str) -> AsyncIterator[Relay]:
    relay = Relay(conninfo)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        relay.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, relay.serve, listeners)
        yield relay
        nursery.cancel_scope.cancel()
