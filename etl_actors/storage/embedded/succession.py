"""One server after another in the same place: what has died is cleared away, and its successor is found where it was.

The folder, the settings and the socket stay the same, so whoever holds the connection string only has to connect again.
What the dead one left is not trusted: its processes are waited for (its guardian may have been killed with it), and its
lock files go, whose pids may belong to somebody else by now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

import structlog

from ...errors import Ended, EtlActorsError
from .account import Account
from .binaries import Binaries
from .complaints import mendable
from .home import Home, empty_socket_folder
from .leftover import wait_old_server_gone
from .server import Server, open_server

log = structlog.get_logger("postgres")


class Succession:
    """Starts servers in ``home``, never two at once."""

    def __init__(self, binaries: Binaries, home: Home, account: Account, settings: Mapping[str, str]) -> None:
        self._binaries = binaries
        self._home = home
        self._account = account
        self._settings = settings
        self._running = AsyncExitStack()
        self._server: Server | None = None

    @property
    def server(self) -> Server:
        """The latest that was ready."""
        assert self._server is not None
        return self._server

    async def start(self, progress: Callable[[str], None]) -> None:
        """Start one and wait until it takes connections. Raises ``UsageError`` or ``ServiceFailed``."""
        await self.aclose()
        await wait_old_server_gone(self._home.cluster, progress)
        with mendable(self._home.folder):
            empty_socket_folder(self._home)
        opening = open_server(self._binaries, self._home, self._account, self._settings)
        server = await self._running.enter_async_context(opening)
        await server.wait_ready(progress)
        self._server = server

    async def run(self) -> None:
        """Watch the server, after another was started if it has died; raises ``Ended`` when it dies, or cannot start.

        Somebody else decides how often that is worth trying.
        """
        if self.server.died:
            try:
                await self.start(lambda step: None)
            except EtlActorsError as error:
                raise Ended(str(error)) from error
            log.info("postgres.started_again", pid=self.server.pid)
        raise Ended(await self.server.wait_died())

    async def aclose(self) -> None:
        """End the server, if there is one."""
        await self._running.aclose()
