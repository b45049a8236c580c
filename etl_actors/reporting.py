"""Who tells how everything is, over one assembly: the status board for people, the metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from . import __version__
from .assembly import Assembly
from .files.desk import FileDesk
from .files.folder import free_bytes
from .metrics import Exposition, Sources, Timings
from .settings import ServiceSettings
from .spool import Spool
from .status import Database, StatusBoard, Watch
from .storage.opening import Storage


class Reports(Struct, frozen=True):
    """Both."""

    statuses: StatusBoard
    metrics: Exposition


def open_reports(
    settings: ServiceSettings,
    storage: Storage,
    database: Database,
    spool: Spool,
    assembly: Assembly,
    files: FileDesk,
    watch: Watch,
    timings: Timings,
    *,
    config: Callable[[], dict[str, Any]],
    data_dir: Path,
) -> Reports:
    """``timings`` are those that the assembly was made with."""
    statuses = StatusBoard(
        roster=assembly.roster,
        pipeline=assembly.pipeline,
        transformer=assembly.transformer,
        loader=assembly.loader,
        broadcaster=assembly.broadcaster,
        janitor=assembly.janitor,
        surveyors=assembly.survey.surveyors.values(),
        watch=watch,
        database=database,
        spool=spool.statistics,
        config=config,
        version=__version__,
    )
    sources = Sources(
        settings=settings,
        roster=assembly.roster,
        pipeline=assembly.pipeline,
        transformer=assembly.transformer,
        loader=assembly.loader,
        broadcaster=assembly.broadcaster,
        janitor=assembly.janitor,
        surveyors=assembly.survey.surveyors.values(),
        limits=assembly.limits,
        ledger=assembly.ledger,
        storage=storage,
        spool=spool,
        files=files,
        not_ready=statuses.not_ready,
        database_trouble=statuses.database_trouble,
    )
    return Reports(statuses, Exposition(sources, timings, __version__, partial(free_bytes, data_dir)))
