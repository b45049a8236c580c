"""The composition root: opens storage, starts web, runs the pipeline, listens for signals; closes in reverse.

What is opened first is what must die last: storage ⊃ web ⊃ pipeline.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import structlog
import trio

from . import __version__
from .assembly import Assembly, assemble, shipped_tables, use_stored_pairs
from .compiling import compile_expressions
from .doors import open_doors
from .errors import EtlActorsError, ServiceFailed, SpoolFull, SpoolUnavailable
from .factory import Clients
from .files.desk import FileDesk
from .keeping import open_kept
from .progress import Progress, progress
from .reloading import hangups, make_reloader, run_reloading
from .settings import Configuration, ServiceSettings
from .sources.exchange import open_client, open_guarded_client
from .spool import Spool, open_spool
from .status import StatusBoard, Watch
from .storage.opening import Storage, open_storage
from .supervisor import OURS, Supervised
from .vault.doors import given_first_key
from .web.app import create_app
from .web.listener import abort_connections, address_of, open_listener, openable
from .web.server import serve_app

log = structlog.get_logger("service")

# What sockets that are still open get after the drain, before they are aborted.
CLOSING_SECONDS = 2.0


def run_until_stopped(main: Callable[[], Awaitable[None]]) -> None:
    """Run ``main`` until it ends, by itself or on a signal. Raises what the command turns into an exit code."""
    try:
        trio.run(main, strict_exception_groups=True)
    except BaseExceptionGroup as group:
        _tell(group)
    except EtlActorsError:
        raise
    except Exception as error:
        raise _crashed(error) from error


def _tell(group: BaseExceptionGroup[BaseException]) -> None:
    """Out of a group of errors, the one a person can do something about; what nobody foresaw is logged whole."""
    ours = group.subgroup(EtlActorsError)
    if ours is not None:
        raise _first(ours) from group
    if group.subgroup(KeyboardInterrupt) is not None:
        raise KeyboardInterrupt from None
    raise _crashed(group) from group


def _crashed(error: BaseException) -> ServiceFailed:
    log.error("service.crashed", exc_info=error)
    first = _first(error)
    return ServiceFailed(f"the service crashed: {type(first).__name__}: {first}")


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


async def serve(
    configuration: Configuration,
    *,
    data_dir: Path,
    host: str | None = None,
    port: int | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """The service, from opening to closing; ``task_status`` gets its address when it is ready.

    Changes of ``folder``, where ``configuration`` was read, are taken over while it runs.
    """
    settings = configuration.service
    host = host if host is not None else settings.server.host
    port = port if port is not None else settings.server.port
    first_key = given_first_key(environment)
    if settings.server.workers > 1:
        log.warning("service.one_process", workers=settings.server.workers, running=1)
    if not configuration.connectors:
        log.warning("service.no_connectors")
    # Wrong expressions and a taken port are told before anything is opened.
    tables = shipped_tables(configuration)
    compiled = compile_expressions(configuration, tables)
    with (
        hangups() as hangup_signals,
        open_listener(host, port, stuck_seconds=settings.live.stuck_seconds) as listener,
        progress() as step,
    ):
        async with (
            open_storage(
                settings.database, settings.retention, configuration.connectors, data_dir=data_dir, progress=step
            ) as storage,
            open_client(settings.upstream, __version__) as trusted,
            _open_guarded(settings) as guarded,
            _open_spool(settings, data_dir) as spool,
        ):
            keys, kept = await open_kept(storage, configuration, data_dir, environment)
            stored = await storage.reader.symbol_tables()
            stream, head = await storage.reader.stream()
            use_stored_pairs(tables, stored)
            files = FileDesk(storage.files, data_dir, keep_days=settings.retention.files_days)
            assembly = assemble(
                configuration,
                storage,
                Clients(trusted, guarded),
                keys,
                tables=tables,
                compiled=compiled,
                stored_pairs=stored,
                kept=kept,
                stream=stream,
                head=head,
                files=files,
                spool=spool,
            )
            doors = await open_doors(settings, storage.keys, first_key, host=host, data_dir=data_dir)
            reloader = make_reloader(
                folder,
                environment,
                configuration,
                storage=storage,
                files=files,
                roster=assembly.roster,
                factory=assembly.factory,
                survey=assembly.survey,
                stopping=lambda: assembly.pipeline.crew.closed,
            )
            statuses = _status_board(storage, spool, assembly, doors.doorkeeper, reloader.statistics)
            app = create_app(
                reader=storage.reader,
                statuses=statuses,
                roster=assembly.roster,
                extractor=assembly.extractor,
                publisher=assembly.broadcaster,
                postbox=assembly.postbox,
                files=files,
                file_reader=storage.file_reader,
                version=__version__,
                position_seconds=settings.live.position_seconds,
                max_body_bytes=settings.server.max_body_bytes,
                access=doors.policy,
            )
            _spare_the_collector()
            address, port = address_of(listener), listener.getsockname()[1]
            async with trio.open_nursery() as nursery:
                drained, closed = trio.Event(), trio.Event()
                serving = partial(serve_app, app, listener, shutdown=drained.wait, grace_seconds=CLOSING_SECONDS)
                await nursery.start(_serve_web, serving, closed)
                nursery.start_soon(Supervised("doorkeeper", OURS).run, doors.doorkeeper.run)
                await nursery.start(_stop_on_signal, assembly, settings.server.drain_seconds)
                stop_nowait = partial(assembly.pipeline.stop_nowait, settings.server.drain_seconds)
                nursery.start_soon(run_reloading, reloader, hangup_signals, stop_nowait)
                if storage.embedded is not None:
                    nursery.start_soon(_fail_with_database, storage)
                nursery.start_soon(_announce, step, address, data_dir, task_status)
                await assembly.pipeline.run()
                await _close_web(drained, closed, port)
                nursery.cancel_scope.cancel()
    if assembly.pipeline.drained:
        log.info("service.stopped", offset=assembly.loader.statistics().head)
    else:
        raise ServiceFailed(f"what was accepted could not be stored within {settings.server.drain_seconds:g} s")


def _open_guarded(settings: ServiceSettings) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """Who asks on behalf of REST callers: public addresses only, unless private ones are allowed."""
    opening = open_client if settings.security.allow_private_targets else open_guarded_client
    return opening(settings.upstream, __version__)


@asynccontextmanager
async def _open_spool(settings: ServiceSettings, data_dir: Path) -> AsyncIterator[Spool]:
    try:
        async with open_spool(data_dir, max_bytes=settings.spool.max_bytes) as spool:
            yield spool
    except (SpoolFull, SpoolUnavailable) as error:
        raise ServiceFailed(f"the spool in {data_dir} cannot be used: {error}") from error


def _status_board(
    storage: Storage, spool: Spool, assembly: Assembly, watch: Watch, config: Callable[[], dict[str, Any]]
) -> StatusBoard:
    return StatusBoard(
        roster=assembly.roster,
        pipeline=assembly.pipeline,
        transformer=assembly.transformer,
        loader=assembly.loader,
        broadcaster=assembly.broadcaster,
        janitor=assembly.janitor,
        surveyors=assembly.survey.surveyors.values(),
        watch=watch,
        database=storage.statistics,
        spool=spool.statistics,
        config=config,
        version=__version__,
    )


def _spare_the_collector() -> None:
    """What was made by now (modules, mappings, tables) stays: a full collection that walks it holds the loop 50 ms."""
    gc.collect()
    gc.freeze()


async def _announce(step: Progress, address: str, data_dir: Path, task_status: trio.TaskStatus[str]) -> None:
    step.clear()
    print(f"etl-actors is ready: {address}", flush=True)  # noqa: T201 - the one line stdout is for
    folder = str(Path.cwd() / data_dir)
    log.info("service.ready", address=address, page=f"{openable(address)}/dashboard", data_dir=folder)
    task_status.started(address)


async def _stop_on_signal(
    assembly: Assembly, drain_seconds: float, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """The first SIGTERM or Ctrl-C drains; a second one does not wait for it."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            log.info("service.stopping", signal=signal.Signals(number).name, drain_seconds=drain_seconds)
            assembly.pipeline.stop_nowait(drain_seconds)
            drain_seconds = 0.0


async def _fail_with_database(storage: Storage) -> None:
    assert storage.embedded is not None
    await storage.embedded.wait_died()
    raise ServiceFailed("the embedded PostgreSQL ended by itself; its log in the data folder says why")


async def _serve_web(
    serving: Callable[..., Awaitable[None]], closed: trio.Event, task_status: trio.TaskStatus[None]
) -> None:
    await serving(task_status=task_status)
    closed.set()


async def _close_web(drained: trio.Event, closed: trio.Event, port: int) -> None:
    """Let open answers and sockets end; abort those that do not."""
    drained.set()
    with trio.move_on_after(CLOSING_SECONDS + 0.5):
        await closed.wait()
    if not closed.is_set():
        log.warning("service.connections_aborted", connections=abort_connections(port))
