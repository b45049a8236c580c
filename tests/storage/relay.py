"""A TCP door to a server that listens on a unix socket only: for tests of hosts, addresses and lines that break."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import trio
from psycopg.conninfo import conninfo_to_dict, make_conninfo


class Relay:
    """``port`` on 127.0.0.1; ``conninfo`` leads through it. ``heard`` is called with all that clients say.

    While it is ``frozen`` nothing is passed on, as by a router that hangs; between :meth:`shut` and :meth:`open`
    everybody is sent away, as while the server is stopped. Each answer comes ``latency`` seconds later than it would.

    When a client says ``cut_on`` its line ends: that is carried out, and its answer reaches nobody. With ``early`` it
    does not reach the server either; with ``silent`` nobody hangs up, nothing is passed on any more. ``cuts`` counts.
    """

    def __init__(self, conninfo: str) -> None:
        parameters = conninfo_to_dict(conninfo)
        self._database = conninfo
        self._socket = f"{parameters['host']}/.s.PGSQL.{parameters['port']}"
        self.port = self.accepted = self.cuts = 0
        self.cut_on: bytes | None = None
        self.early = self.silent = self.frozen = False
        self.latency = 0.0
        self.heard: Callable[[bytes], None] = lambda data: None
        self._is_shut = False
        self._scopes: set[trio.CancelScope] = set()

    @property
    def conninfo(self) -> str:
        """What to connect with."""
        return make_conninfo(self._database, host="127.0.0.1", port=self.port)

    def shut(self) -> None:
        """End every connection, and let nobody in."""
        self._is_shut = True
        for scope in self._scopes:
            scope.cancel()

    def open(self) -> None:
        """As before."""
        self._is_shut = False

    async def serve(self, client: trio.SocketStream) -> None:
        """One connection."""
        self.accepted += 1
        async with client:
            if self._is_shut:
                return
            try:
                server = await trio.open_unix_socket(self._socket)
            except OSError:  # there is none now
                return
            async with server:
                await _Line(self, client, server).pass_on(self._scopes)

    async def cut(self) -> None:
        """A line ends now."""
        self.cut_on = None
        self.cuts += 1
        if self.silent:
            await trio.sleep_forever()

    async def wait_thawed(self) -> None:
        """Until it is not frozen."""
        while self.frozen:  # noqa: ASYNC110  # nothing comes of it, not even that it is
            await trio.sleep(0.01)


class _Line:
    """One connection through the relay."""

    def __init__(self, relay: Relay, client: trio.SocketStream, server: trio.SocketStream) -> None:
        self._relay = relay
        self._client = client
        self._server = server
        self._done: bytes | None = None  # what the server says when the statement is done: its verb

    async def pass_on(self, scopes: set[trio.CancelScope]) -> None:
        async with trio.open_nursery() as nursery:
            scopes.add(nursery.cancel_scope)
            for way in (self._to_server, self._to_client):
                nursery.start_soon(self._until_broken, way, nursery.cancel_scope)
        scopes.discard(nursery.cancel_scope)

    async def _until_broken(self, way: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await way()
        scope.cancel()

    async def _to_server(self) -> None:
        relay = self._relay
        async for data in self._client:
            relay.heard(data)
            if relay.cut_on is not None and relay.cut_on in data:
                if relay.early:
                    await relay.cut()
                    return
                self._done = relay.cut_on.split()[0]
            await relay.wait_thawed()
            await self._server.send_all(data)

    async def _to_client(self) -> None:
        relay = self._relay
        async for data in self._server:
            # What was sent with it may be answered first; cut then, the server would not have come to it.
            if self._done is not None and self._done in data:
                await relay.cut()
                return
            if relay.latency:
                await trio.sleep(relay.latency)
            await relay.wait_thawed()
            await self._client.send_all(data)


@asynccontextmanager
async def open_relay(conninfo: str) -> AsyncIterator[Relay]:
    """A relay to that server, for the length of the block."""
    relay = Relay(conninfo)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        relay.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, relay.serve, listeners)
        yield relay
        nursery.cancel_scope.cancel()
