"""Opens storage: finds or starts PostgreSQL, brings its schema up to date, and hands out the parts that use it."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from msgspec import Struct
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ..errors import EtlActorsError, ServiceFailed, StorageUnavailable, UsageError
from ..settings import ConnectorSettings
from ..settings.service import Database
from ..settings.service import Retention as RetentionSettings
from .address import parse_address
from .claims import ClaimBook, register_connectors
from .definitions import DefinitionBook
from .driver import Connection
from .embedded import EmbeddedPostgres, open_embedded
from .file_reader import FileReader
from .files import FileWriter
from .keys import KeyBook
from .log import LogReader
from .migrations import migrate, taking_turns
from .partitions import PartitionBook, choose_width
from .pool import Pool, open_pool
from .reader import Reader
from .refusals import never_works
from .rejected import RejectedBook
from .retention import Retention
from .takeover.copying import copy_original
from .takeover.renaming import set_original_aside
from .translation import translated
from .writer import BatchWriter

OLDEST_VERSION = 140000

# Large values are sent as they are, and the server makes its own of them.
_ENCODING = {"client_encoding": "utf8"}
# A writer frozen in its transaction must not hold on to anything.
_WRITER_OPTIONS = "-c idle_in_transaction_session_timeout=4s"
_READER_OPTIONS = "-c statement_timeout=30s -c default_transaction_read_only=on"
# A dead peer must be noticed, here and by the server, which would wait two hours for a client in the middle of a COPY.
_WATCHFUL_OPTIONS = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=20000"
)
_WATCHFUL = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "application_name": "etl-actors",
}
# An upload keeps its connection for as long as its file is parsed, which must not keep the loader from its own; one
# more is for questions about files meanwhile. They wait for the disk between two slices, no longer.
_FILE_OPTIONS = "-c idle_in_transaction_session_timeout=60s"
_WRITER_CONNECTIONS = 2
_FILE_CONNECTIONS = 3
# One for keys alone: that a key was revoked must not wait behind slow questions, nor for long on a stuck server.
_KEYS_OPTIONS = "-c statement_timeout=5s"
_KEYS_CONNECTIONS = 1
# Changes of connectors do not wait behind the loader, nor it behind them.
_CHANGE_CONNECTIONS = 2
# Whoever asks over REST is told so when the server hangs. An export has as long for each of its slices.
_REQUEST_SECONDS = 10.0
# Retention may wait for whoever still reads what is to go.
_SWEEP_SECONDS = 120.0


_OTHER_CONNECTIONS = _WRITER_CONNECTIONS + _CHANGE_CONNECTIONS + _FILE_CONNECTIONS + _KEYS_CONNECTIONS


class Storage(Struct, frozen=True, kw_only=True):
    """The open storage and its parts: connections that only read, and those that write; ``pools`` are all, by name."""

    readers: Pool
    writers: Pool
    writer: BatchWriter
    reader: Reader
    log: LogReader
    claims: ClaimBook
    definitions: DefinitionBook
    keys: KeyBook
    retention: Retention
    files: FileWriter
    file_reader: FileReader
    rejected: RejectedBook
    embedded: EmbeddedPostgres | None
    version: str
    pools: Mapping[str, Pool]
    partitions: PartitionBook

    def statistics(self) -> dict[str, Any]:
        """For the status route."""
        return {
            "kind": "embedded" if self.embedded else "external",
            "version": self.version,
            "connections": msgspec.to_builtins(self.readers.statistics()),
        }


@asynccontextmanager
async def open_storage(
    database: Database,
    retention: RetentionSettings,
    connectors: tuple[ConnectorSettings, ...],
    *,
    data_dir: Path,
    progress: Callable[[str], None] = lambda step: None,
) -> AsyncIterator[Storage]:
    """Everything that stores and reads, for as long as the block lasts.

    Raises :class:`UsageError` (the url or the data folder is wrong), :class:`ServiceFailed` (it cannot work as it is)
    or, for a database of the user's own, :class:`StorageUnavailable` (it does not answer yet), each one sentence.
    """
    async with AsyncExitStack() as stack:
        embedded = None
        if database.url:
            conninfo = parse_address(database.url.reveal())
        else:
            embedded = await stack.enter_async_context(
                open_embedded(data_dir, max_connections=database.max_connections + 10, progress=progress)
            )
            conninfo = conninfo_to_dict(embedded.conninfo)
        try:
            with translated():
                version = await _prepare(conninfo, connectors, progress)
                book = PartitionBook(choose_width(retention.max_bytes, None))
                readers = await _open_pool(
                    stack,
                    conninfo,
                    _READER_OPTIONS,
                    database.min_connections,
                    max(database.max_connections - _OTHER_CONNECTIONS, 1),
                    loan_seconds=_REQUEST_SECONDS,
                )
                writers = await _open_pool(
                    stack, conninfo, _WRITER_OPTIONS, 1, _WRITER_CONNECTIONS, loan_seconds=_SWEEP_SECONDS
                )
                changes = await _open_pool(
                    stack, conninfo, _WRITER_OPTIONS, 0, _CHANGE_CONNECTIONS, loan_seconds=_REQUEST_SECONDS
                )
                filers = await _open_pool(stack, conninfo, _FILE_OPTIONS, 0, _FILE_CONNECTIONS)
                keys = await _open_pool(
                    stack, conninfo, _KEYS_OPTIONS, 1, _KEYS_CONNECTIONS, loan_seconds=_REQUEST_SECONDS
                )
                await _make_partitions(writers, book)
        except StorageUnavailable as error:
            if embedded is not None:
                raise ServiceFailed(f"cannot use the embedded PostgreSQL: {one_line(error)}") from error
            text = f"cannot use the database of DATABASE_URL ([database] url): {one_line(error)}"
            raise (ServiceFailed if never_works(one_line(error)) else StorageUnavailable)(text) from error
        except psycopg.Error as error:
            raise ServiceFailed(f"the database cannot be used: {one_line(error)}") from error
        yield Storage(
            readers=readers,
            writers=writers,
            writer=BatchWriter(writers, book),
            reader=Reader(readers),
            log=LogReader(readers),
            claims=ClaimBook(writers, owner=f"{socket.gethostname()}:{os.getpid()}"),
            definitions=DefinitionBook(changes),
            keys=KeyBook(keys),
            retention=Retention(writers, book, retention),
            files=FileWriter(filers),
            file_reader=FileReader(readers),
            rejected=RejectedBook(readers, changes, book),
            embedded=embedded,
            version=version,
            pools={"readers": readers, "writers": writers, "changes": changes, "files": filers, "keys": keys},
            partitions=book,
        )


async def _prepare(
    conninfo: dict[str, Any], connectors: tuple[ConnectorSettings, ...], progress: Callable[[str], None]
) -> str:
    parameters = {"connect_timeout": 10, **_watchful(conninfo)}
    async with await Connection[Any].connect("", autocommit=True, **parameters) as connection:
        progress("preparing the database")
        await prepare_schema(connection, progress)
        await register_connectors(connection, connectors)
        number = connection.info.server_version
        return f"PostgreSQL {number // 10000}.{number % 10000}"


async def prepare_schema(connection: Connection[Any], progress: Callable[[str], None]) -> None:
    """Bring the schema up to date, whoever made it. Raises :class:`UsageError` for a server that is too old."""
    number = connection.info.server_version
    if number < OLDEST_VERSION:
        raise UsageError(f"PostgreSQL {number // 10000} is too old: this service needs 14 or newer")
    async with taking_turns(connection, progress):
        await set_original_aside(connection)
        await migrate(connection)
        await copy_original(connection, progress)


def _watchful(conninfo: dict[str, Any], options: str = "") -> dict[str, Any]:
    """What every session is opened with. What the address asks for wins, but over what the service relies on."""
    asked = f"{_WATCHFUL_OPTIONS} {conninfo.get('options', '')} {options}"
    return {**_WATCHFUL, **conninfo, **_ENCODING, "options": asked}


async def _open_pool(
    stack: AsyncExitStack,
    conninfo: dict[str, Any],
    options: str,
    min_connections: int,
    max_connections: int,
    *,
    loan_seconds: float = math.inf,
) -> Pool:
    return await stack.enter_async_context(
        open_pool(
            make_conninfo("", **_watchful(conninfo, f"{options} -c timezone=UTC")),
            min_connections=min(min_connections, max_connections),
            max_connections=max_connections,
            loan_seconds=loan_seconds,
        )
    )


async def _make_partitions(pool: Pool, book: PartitionBook) -> None:
    now = datetime.now(UTC)
    async with pool.connection() as connection:
        await book.finish_interrupted_drops(connection)
        await book.refresh(connection)
        await book.make_ahead(connection, now)


def one_line(error: BaseException) -> str:
    """What an error, or the database behind it, says, as one line."""
    text = str(error.__cause__ if isinstance(error, EtlActorsError) and error.__cause__ else error)
    return " ".join(text.split())
