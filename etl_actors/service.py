"""The composition root: opens storage, starts web, runs the pipeline, listens for signals; closes in reverse.

What is opened first is what must die last: storage ⊃ web ⊃ pipeline. One part of web is there before storage: the port,
and a waiting room behind it, for as long as the database is not there.
"""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import structlog
import trio
from quart_trio import QuartTrio

from . import __version__
from .allocation import fix_allocator
from .assembly import assemble, shipped_tables, use_stored_pairs
from .compiling import compile_expressions
from .doors import Doors, open_doors
from .errors import EtlActorsError, ServiceFailed
from .factory import Clients
from .files.desk import FileDesk
from .metrics import Timings, watch_loop
from .opening import open_ground
from .patience import Patience
from .progress import Progress, progress
from .reloading import hangups, make_reloader, run_reloading
from .reporting import open_reports
from .revival import Revival
from .settings import Configuration, ServiceSettings
from .sources.exchange import open_client, open_guarded_client
from .stopping import Stopping
from .storage.address import check_address
from .supervisor import OURS, Supervised
from .tracing import open_tracing
from .vault.doors import given_first_key
from .web.app import create_app
from .web.entrance import Entrance
from .web.listener import address_of, open_listener, openable
from .web.server import WebServer
from .web.waiting_room import create_waiting_room

log = structlog.get_logger("service")


def run_until_stopped(main: Callable[[], Awaitable[None]]) -> None:
    """Run ``main`` until it ends, by itself or on a signal. Raises what the command turns into an exit code."""
    fix_allocator()
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
    # What is wrong whatever the database says, and a taken port, are told before anything is opened.
    check_address(settings.database)
    tables = shipped_tables(configuration)
    compiled = compile_expressions(configuration, tables)
    with (
        hangups() as hangup_signals,
        open_listener(host, port, stuck_seconds=settings.live.stuck_seconds) as listener,
        progress() as step,
    ):
        address = address_of(listener)
        doors = await open_doors(settings, first_key, host=host, data_dir=data_dir)
        patience = Patience(step)
        entrance = Entrance(_waiting_room(settings, doors, patience))
        web = WebServer(entrance, listener)
        stopping = Stopping(settings.server.drain_seconds, web.close_by_nowait)
        async with trio.open_nursery() as nursery:
            await nursery.start(web.run)
            await nursery.start(stopping.run)
            opening = partial(
                open_ground,
                configuration,
                doors,
                data_dir=data_dir,
                environment=environment,
                progress=patience.note_step,
            )
            with stopping.start:
                async with (
                    patience.opened(opening) as ground,
                    open_client(settings.upstream, __version__) as trusted,
                    _open_guarded(settings) as guarded,
                    open_tracing(timings := Timings(), __version__, environment) as traced,
                ):
                    storage = ground.storage
                    use_stored_pairs(tables, ground.stored_pairs)
                    files = FileDesk(storage.files, data_dir, keep_days=settings.retention.files_days)
                    assembly = assemble(
                        configuration,
                        storage,
                        Clients(trusted, guarded),
                        ground.keys,
                        tables=tables,
                        compiled=compiled,
                        stored_pairs=ground.stored_pairs,
                        kept=ground.kept,
                        stream=ground.stream,
                        head=ground.head,
                        files=files,
                        spool=ground.spool,
                        timings=traced,
                    )
                    revival = Revival(storage)
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
                    reports = open_reports(
                        settings,
                        storage,
                        revival,
                        ground.spool,
                        assembly,
                        files,
                        ground.doorkeeper,
                        timings,
                        config=reloader.statistics,
                        data_dir=data_dir,
                    )
                    app = create_app(
                        reader=storage.reader,
                        statuses=reports.statuses,
                        metrics=reports.metrics,
                        roster=assembly.roster,
                        extractor=assembly.extractor,
                        publisher=assembly.broadcaster,
                        postbox=assembly.postbox,
                        files=files,
                        file_reader=storage.file_reader,
                        rejected=assembly.rejected,
                        version=__version__,
                        position_seconds=settings.live.position_seconds,
                        max_body_bytes=settings.server.max_body_bytes,
                        access=doors.policy(ground.doorkeeper, storage.keys),
                    )
                    _spare_the_collector()
                    stopping.drain(assembly.pipeline)
                    async with _served(web, entrance, app), trio.open_nursery() as running:
                        running.start_soon(Supervised("doorkeeper", OURS).run, ground.doorkeeper.run)
                        running.start_soon(revival.run)
                        running.start_soon(watch_loop, timings.late)
                        stop_nowait = partial(assembly.pipeline.stop_nowait, settings.server.drain_seconds)
                        running.start_soon(run_reloading, reloader, hangup_signals, stop_nowait)
                        running.start_soon(_announce, step, address, data_dir, task_status)
                        await assembly.pipeline.run()
                        running.cancel_scope.cancel()
            nursery.cancel_scope.cancel()
    if stopping.start.cancelled_caught:
        log.info("service.stopped")
    elif assembly.pipeline.drained:
        log.info("service.stopped", offset=assembly.loader.statistics().head)
    else:
        raise ServiceFailed(f"what was accepted could not be stored within {settings.server.drain_seconds:g} s")


def _waiting_room(settings: ServiceSettings, doors: Doors, patience: Patience) -> QuartTrio:
    return create_waiting_room(
        patience.reason,
        version=__version__,
        max_body_bytes=settings.server.max_body_bytes,
        access=doors.closed_policy(),
    )


@asynccontextmanager
async def _served(web: WebServer, entrance: Entrance, app: QuartTrio) -> AsyncIterator[None]:
    """``app`` is served for the length of the block, however it ends; storage must not be gone before its answers."""
    with entrance.leading_to(app):
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):
                await web.aclose()


def _open_guarded(settings: ServiceSettings) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """Who asks on behalf of REST callers: public addresses only, unless private ones are allowed."""
    opening = open_client if settings.security.allow_private_targets else open_guarded_client
    return opening(settings.upstream, __version__)


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
