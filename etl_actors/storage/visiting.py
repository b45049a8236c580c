"""A short visit to the database by a command, whether a service runs or not.

A database of the user's own is simply connected to. The embedded one is started for the visit when nobody runs it; when
a service holds the data folder, its server is visited instead, through the socket that only its own account may open.
A service that is just starting or ending is waited for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import psycopg
import trio
from msgspec import Struct
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ..errors import DataFolderInUse, ServiceFailed, StorageUnavailable, UsageError
from ..settings.service import Database
from .address import parse_address
from .embedded import open_embedded, running_conninfo
from .opening import one_line, prepare_schema
from .pool import Pool, open_pool
from .translation import translated

PATIENCE_SECONDS = 20.0
RETRY_SECONDS = 0.2
VISITOR_CONNECTIONS = 2


class Visit(Struct, frozen=True, kw_only=True):
    """The database, its schema up to date. ``conninfo`` leads to it; ``pool`` lends connections that may write."""

    conninfo: str
    pool: Pool


@asynccontextmanager
async def open_visit(
    database: Database,
    data_dir: Path,
    *,
    may_create: bool = True,
    progress: Callable[[str], None] = lambda step: None,
) -> AsyncIterator[Visit]:
    """The database of a configuration, for the length of the block.

    With ``may_create`` an embedded database that was never there is made; without it, that is a ``UsageError``. Raises
    :class:`UsageError` and :class:`ServiceFailed`, each one sentence; :class:`StorageUnavailable` inside the block
    when the service it visits goes away.
    """
    async with AsyncExitStack() as stack:
        if database.url:
            visit = await _visit_external(stack, database.url.reveal())
        else:
            visit = await _visit_embedded(stack, data_dir, may_create, progress)
        try:
            with translated():
                async with visit.pool.connection() as connection:
                    await prepare_schema(connection, progress)
        except psycopg.Error as error:
            raise ServiceFailed(f"the database cannot be used: {one_line(error)}") from error
        yield visit


async def _visit_external(stack: AsyncExitStack, url: str) -> Visit:
    conninfo = make_conninfo("", **parse_address(url))
    try:
        return await _visit(stack, conninfo)
    except (StorageUnavailable, psycopg.Error) as error:
        raise ServiceFailed(f"cannot use the database of DATABASE_URL ([database] url): {one_line(error)}") from error


async def _visit_embedded(
    stack: AsyncExitStack, data_dir: Path, may_create: bool, progress: Callable[[str], None]
) -> Visit:
    if not may_create and running_conninfo(data_dir) is None:
        raise UsageError(f"{data_dir} holds no database: name the data folder of the service with --data-dir")
    deadline = trio.current_time() + PATIENCE_SECONDS
    while True:
        try:
            embedded = await stack.enter_async_context(open_embedded(data_dir, progress=progress))
        except DataFolderInUse as error:
            in_use = error
        else:
            return await _visit(stack, embedded.conninfo)
        conninfo = running_conninfo(data_dir)
        trouble: Exception = in_use
        if conninfo is not None:
            try:
                return await _visit(stack, conninfo)
            except (StorageUnavailable, psycopg.Error) as error:
                _refuse_stranger(error, data_dir)
                trouble = error
        if trio.current_time() > deadline:
            raise ServiceFailed(f"{in_use}, whose database does not answer: {one_line(trouble)}") from trouble
        progress("waiting for the service that holds the data folder")
        await trio.sleep(RETRY_SECONDS)


async def _visit(stack: AsyncExitStack, conninfo: str) -> Visit:
    options = f"{conninfo_to_dict(conninfo).get('options', '')} -c timezone=UTC".strip()
    joined = make_conninfo(conninfo, options=options, application_name="etl-actors visit")
    pool = await stack.enter_async_context(open_pool(joined, max_connections=VISITOR_CONNECTIONS))
    return Visit(conninfo=conninfo, pool=pool)


def _refuse_stranger(error: Exception, data_dir: Path) -> None:
    """Waiting does not help whom the server will never let in."""
    said = one_line(error)
    if "Permission denied" in said or "authentication failed" in said:
        raise UsageError(
            f"the service that runs in {data_dir} belongs to another user: run this command as that user"
        ) from error
