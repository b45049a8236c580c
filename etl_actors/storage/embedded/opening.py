"""The embedded PostgreSQL: a server of the service's own, in its data folder, for whoever brings no database.

It lives and dies with the service (see ``guardian``), listens on a unix socket in a closed folder, and lets in only the
account that the service runs as. The parts: who runs it (``account``), with which programs (``binaries``), where
(``home``), made how (``cluster``), after whom (``leftover``), started and ended (``server``), followed by whom when it
dies (``succession``).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import trio
from psycopg.conninfo import make_conninfo

from ...errors import UsageError
from .account import OTHERWISE, Account, choose_account, service_user
from .binaries import locate_binaries, reachable_binaries
from .cluster import DATABASE, ROLE, prepare_cluster, write_access_rules
from .complaints import mendable
from .folder_lock import hold_folder
from .home import (
    MACHINE_FOLDER,
    Home,
    choose_home,
    known_home,
    make_socket_folder,
    open_folder,
    remove_socket_folder,
    running_socket_folder,
)
from .leftover import wait_old_server_gone
from .succession import Succession


class EmbeddedPostgres:
    """A running embedded server. ``conninfo`` leads to it and to whichever follows it; ``log`` is what it says."""

    def __init__(self, conninfo: str, succession: Succession, home: Home) -> None:
        self.conninfo = conninfo
        self.log = home.log
        self._succession = succession

    @property
    def pid(self) -> int:
        """Its postmaster."""
        return self._succession.server.pid

    @property
    def is_up(self) -> bool:
        """Whether it runs; False from its death until the next one takes connections."""
        return not self._succession.server.died

    async def wait_died(self) -> str:
        """Return, with one sentence, once the server has ended although nobody asked it to."""
        return await self._succession.server.wait_died()

    async def run(self) -> None:
        """Watch it; when it has died, start another in its place first. Raises ``Ended`` when it dies, again."""
        await self._succession.run()


def _silent(_: str) -> None:
    pass


@asynccontextmanager
async def open_embedded(
    data_dir: Path,
    *,
    progress: Callable[[str], None] = _silent,
    max_connections: int = 40,
    settings: Mapping[str, str] | None = None,
    machine_folder: Path = MACHINE_FOLDER,
) -> AsyncIterator[EmbeddedPostgres]:
    """Run PostgreSQL in ``data_dir`` for the length of the block; the folder and the cluster are made when missing.

    ``progress`` is told, in a few words each, what takes time. ``settings`` are PostgreSQL's and win over its files.
    ``machine_folder`` serves a root service whose data folder the server's account cannot reach.
    Raises ``DataFolderInUse``, other ``UsageError`` for what its owner can mend, and ``ServiceFailed``.
    """
    async with AsyncExitStack() as stack:
        with mendable(data_dir):
            home, account = await _take_home(stack, data_dir, machine_folder)
            binaries = reachable_binaries(locate_binaries(), account, machine_folder)
            await wait_old_server_gone(home.cluster, progress)
            if not home.cluster.exists():
                progress("making the database")
            await prepare_cluster(binaries, home, account)
            write_access_rules(home, service_user())
            socket_folder = make_socket_folder(home, account)
        stack.callback(remove_socket_folder, home)
        stack.push_async_callback(_end_orphans, home)
        wanted = {**_required(home, socket_folder, max_connections), **(settings or {})}
        succession = await stack.enter_async_context(aclosing(Succession(binaries, home, account, wanted)))
        await succession.start(progress)
        yield EmbeddedPostgres(_conninfo(socket_folder), succession, home)


def make_data_folder(data_dir: Path) -> None:
    """Make the folder unless it is there, so that its server could live in it. Raises ``UsageError``; blocking."""
    with mendable(data_dir):
        _opened(data_dir)


def running_conninfo(data_dir: Path) -> str | None:
    """What leads to the server that a service runs in ``data_dir``, or None when nothing was ever kept there.

    Raises ``UsageError`` when its folder is gone or closed to us. Whether the server runs is for the caller to try.
    """
    with mendable(data_dir):
        home = known_home(data_dir.resolve())
        return None if home is None else _conninfo(running_socket_folder(home))


def _conninfo(folder: Path) -> str:
    return make_conninfo("", host=str(folder), port=5432, user=ROLE, dbname=DATABASE)


async def _take_home(stack: AsyncExitStack, data_dir: Path, machine_folder: Path) -> tuple[Home, Account]:
    data_dir = _opened(data_dir)
    await stack.enter_async_context(hold_folder(data_dir))
    home = known_home(data_dir)
    account = choose_account(home.cluster_owner() if home else None)
    if home is None:
        home = choose_home(data_dir, account, machine_folder)
    elif not account.reaches(home.folder):
        raise UsageError(
            f"the account {account.name!r}, which runs PostgreSQL, cannot reach {home.folder}: "
            f"let it pass through the folders above, {OTHERWISE}"
        )
    if home.folder.parent != data_dir:
        # A copy of the data folder points to the same home.
        await stack.enter_async_context(hold_folder(home.folder))
    return home, account


def _opened(data_dir: Path) -> Path:
    # Made by root, it has to let the server's account through.
    real = data_dir.resolve()
    open_folder(real, passable=os.geteuid() == 0)
    return real


async def _end_orphans(home: Home) -> None:
    # Only if the guardian was killed is there anything left by now.
    with trio.CancelScope(shield=True):
        await wait_old_server_gone(home.cluster, _silent)


def _required(home: Home, socket_folder: Path, max_connections: int) -> dict[str, str]:
    return {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_directories": '"{}"'.format(str(socket_folder).replace('"', '""')),  # the setting is a list
        "hba_file": str(home.hba_file),
        "ident_file": str(home.ident_file),
        "max_connections": str(max_connections),
        "logging_collector": "off",  # what it says goes to the guardian, whose log is bounded
        "log_destination": "stderr",
    }
