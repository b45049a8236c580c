"""Limits, changed under those who share them: a connector whose limit changes is not restarted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..actors.connector import ConnectorActor
from ..factory import ActorFactory
from ..roster_entry import Entry
from ..settings import LimitSettings
from ..sources.pacing import Limit
from .checking import named_limits


def put_limits(put: Mapping[str, LimitSettings], factory: ActorFactory, entries: Iterable[Entry]) -> None:
    """These limits are new, or say something else."""
    polling = [entry.actor for entry in entries if isinstance(entry.actor, ConnectorActor)]
    before = [actor.statistics() for actor in polling]
    for name, settings in put.items():
        if name in factory.limits:
            factory.limits[name].change(settings)
        else:
            factory.limits[name] = Limit(settings)
    for actor, was in zip(polling, before, strict=True):
        now = actor.statistics().effective_interval_seconds
        if now < was.effective_interval_seconds and not actor.paused and not was.consecutive_failures:
            actor.trigger_nowait()  # or it would wait for a tick of its old, longer interval


def drop_limits(names: Iterable[str], factory: ActorFactory, entries: Iterable[Entry]) -> None:
    """No file declares these any more; one that somebody still goes by stays until nobody does."""
    named = {name for entry in entries for name in named_limits(entry.settings)}
    for name in names:
        if name not in named:
            factory.limits.pop(name, None)
