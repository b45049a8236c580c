"""How everything is, in one place: what each actor says of itself, put together for the status routes.

Nothing travels back through the channels, so trouble that the transformer finds with a connector's answers is joined
here with what the connector says: an answer that arrives but cannot be mapped makes the connector ``failing`` too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
import trio

from .actors.broadcaster import Broadcaster
from .actors.janitor import Janitor
from .actors.loader import Loader
from .actors.surveyor import Surveyor
from .actors.transformer import Transformer
from .pipeline import Pipeline
from .roster_entry import Entry, shown_state
from .settings.disclosure import shown_document
from .spool import SpoolStatistics
from .wire import iso_time

STATES = ("running", "throttled", "failing", "paused", "stopped")


class Roster(Protocol):
    """Who is on now."""

    @property
    def entries(self) -> Mapping[str, Entry]: ...


class Watch(Protocol):
    """Who looks at the database all the time, whether or not there is anything to store."""

    @property
    def trouble(self) -> str | None: ...


class Database(Protocol):
    """How the database is, as far as that is ours to know; ``trouble`` says why it is away, in words for everybody."""

    @property
    def trouble(self) -> str | None: ...
    def statistics(self) -> dict[str, Any]: ...


class StatusBoard:
    """Answers the status routes from the statistics of the actors."""

    def __init__(
        self,
        *,
        roster: Roster,
        pipeline: Pipeline,
        transformer: Transformer,
        loader: Loader,
        broadcaster: Broadcaster,
        janitor: Janitor,
        surveyors: Collection[Surveyor],
        watch: Watch,
        database: Database,
        spool: Callable[[], SpoolStatistics],
        config: Callable[[], dict[str, Any]],
        version: str,
    ) -> None:
        self._roster = roster
        self._pipeline = pipeline
        self._transformer = transformer
        self._loader = loader
        self._broadcaster = broadcaster
        self._janitor = janitor
        self._surveyors = surveyors
        self._watch = watch
        self._database = database
        self._spool = spool
        self._config = config
        self._version = version
        self._started = trio.current_time()
        self._started_at = datetime.now(UTC)

    def overview(self) -> dict[str, Any]:
        """``GET /api/status``."""
        database = self._database.statistics()
        trouble = self._watch.trouble or self._loader.statistics().last_error
        by_state: dict[str, list[str]] = {state: [] for state in STATES}
        for connector_id, entry in self._roster.entries.items():
            by_state[self._state(entry)].append(connector_id)
        return {
            "status": "ok" if not self.not_ready() else "not ready",
            "version": self._version,
            "started_at": iso_time(self._started_at),
            "uptime_seconds": round(trio.current_time() - self._started, 3),
            "connectors": by_state,
            "stale": self.stale(),
            "config": self._config(),
            "actors": msgspec.to_builtins(self._pipeline.actors()),
            "channels": self._pipeline.channel_fill(),
            "loader": msgspec.to_builtins(self._loader.statistics()),
            "database": database
            | {
                "last_error": trouble or database.get("last_error"),
                "retention": msgspec.to_builtins(self._janitor.statistics()),
            },
            "spool": msgspec.to_builtins(self._spool()),
            "subscribers": msgspec.to_builtins(self._broadcaster.statistics()),
            "symbols": {one.source_id: msgspec.to_builtins(one.statistics()) for one in self._surveyors},
        }

    def connectors(self) -> list[dict[str, Any]]:
        """Every connector, as ``GET /api/connectors`` lists it."""
        return [self._describe(entry) for entry in self._roster.entries.values()]

    def connector(self, connector_id: str) -> dict[str, Any] | None:
        """One connector: its settings (secrets masked), where they come from, and its state."""
        entry = self._roster.entries.get(connector_id)
        return None if entry is None else self._describe(entry)

    def connector_status(self, connector_id: str) -> dict[str, Any] | None:
        """``GET /api/connectors/{id}/status``."""
        entry = self._roster.entries.get(connector_id)
        if entry is None:
            return None
        own = None if entry.actor is None else entry.actor.statistics()
        said: dict[str, Any] = {} if own is None else msgspec.to_builtins(own)
        transformed = self._transformer.statistics()
        refusal = transformed.last_refusals.get(connector_id)
        failed_at = None if own is None else own.last_error_at
        if entry.trouble is not None:
            said |= {"last_error": entry.trouble}
        elif refusal is not None and (failed_at is None or failed_at < refusal.at):
            said |= {"last_error": refusal.described, "last_error_at": iso_time(refusal.at)}
        return {
            "connector_id": connector_id,
            **said,
            "state": self._state(entry),
            "items": transformed.items.get(connector_id, 0),
            "rejected": transformed.rejected.get(connector_id, 0),
            "warning": transformed.warnings.get(connector_id),
        }

    def not_ready(self) -> list[str]:
        """Why the service is not ready; empty when it is.

        Everybody may read these, so they say what and not more; ``overview`` has the errors themselves.
        """
        reasons = []
        if self._database.trouble is not None:
            reasons.append(self._database.trouble)
        elif self.database_trouble() is not None:
            reasons.append("the database does not answer")
        reasons.extend(
            f"{actor.name} is {actor.state}"
            for actor in self._pipeline.actors()
            if ":" not in actor.name and actor.state not in {"running", "finished"}
        )
        return reasons

    def database_trouble(self) -> str | None:
        """Why the database cannot be used; None when it can."""
        return self._watch.trouble or self._loader.statistics().last_error

    def stale(self) -> list[str]:
        """The connectors that brought nothing fresh for as long as they may."""
        return [
            connector_id
            for connector_id, entry in self._roster.entries.items()
            if entry.actor is not None and entry.actor.statistics().stale
        ]

    def _describe(self, entry: Entry) -> dict[str, Any]:
        settings = entry.settings
        described = shown_document(settings) | {
            "connector_name": settings.api_name,
            "state": self._state(entry),
            "origin": "api" if entry.file is None else "file",
        }
        if entry.file is not None:
            return described | {"file": entry.file}
        made = {"created_at": entry.created_at, "updated_at": entry.updated_at}
        described |= {name: iso_time(at) for name, at in made.items() if at is not None}
        return described if entry.trouble is None else described | {"trouble": entry.trouble}

    def _state(self, entry: Entry) -> str:
        state = None if entry.actor is None else entry.actor.statistics().state
        unmapped = self._transformer.unmapped(entry.settings.connector_id) is not None
        return shown_state(entry, state, unmapped=unmapped)
