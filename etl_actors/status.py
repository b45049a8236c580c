"""How everything is, in one place: what each actor says of itself, put together for the status routes.

Nothing travels back through the channels, so trouble that the transformer finds with a connector's answers is joined
here with what the connector says: an answer that arrives but cannot be mapped makes the connector ``failing`` too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from .settings import Configuration, ConnectorSettings
from .settings.secret import encode_masked
from .wire import iso_time

STATES = ("running", "throttled", "failing", "paused", "stopped")


class ConnectorActor(Protocol):
    """What a connector actor says of itself."""

    def statistics(self) -> Any: ...


class StatusBoard:
    """Answers the status routes from the statistics of the actors."""

    def __init__(
        self,
        *,
        configuration: Configuration,
        pipeline: Pipeline,
        connectors: Mapping[str, ConnectorActor],
        transformer: Transformer,
        loader: Loader,
        broadcaster: Broadcaster,
        janitor: Janitor,
        surveyors: tuple[Surveyor, ...],
        database: Callable[[], dict[str, Any]],
        version: str,
    ) -> None:
        self._configuration = configuration
        self._settings = {one.connector_id: one for one in configuration.connectors}
        self._pipeline = pipeline
        self._connectors = connectors
        self._transformer = transformer
        self._loader = loader
        self._broadcaster = broadcaster
        self._janitor = janitor
        self._surveyors = surveyors
        self._database = database
        self._version = version
        self._started = trio.current_time()
        self._started_at = datetime.now(UTC)

    def overview(self) -> dict[str, Any]:
        """``GET /api/status``."""
        by_state: dict[str, list[str]] = {state: [] for state in STATES}
        for connector_id in self._settings:
            by_state[self._state(connector_id)].append(connector_id)
        return {
            "status": "ok" if not self.not_ready() else "not ready",
            "version": self._version,
            "started_at": iso_time(self._started_at),
            "uptime_seconds": round(trio.current_time() - self._started, 3),
            "connectors": by_state,
            "actors": msgspec.to_builtins(self._pipeline.actors()),
            "channels": self._pipeline.channel_fill(),
            "loader": msgspec.to_builtins(self._loader.statistics()),
            "database": self._database() | {"retention": msgspec.to_builtins(self._janitor.statistics())},
            "spool": None,
            "subscribers": msgspec.to_builtins(self._broadcaster.statistics()),
            "symbols": {one.source_id: msgspec.to_builtins(one.statistics()) for one in self._surveyors},
        }

    def connectors(self) -> list[dict[str, Any]]:
        """Every connector, as ``GET /api/connectors`` lists it."""
        return [self._describe(settings) for settings in self._settings.values()]

    def connector(self, connector_id: str) -> dict[str, Any] | None:
        """One connector: its settings (secrets masked), where they come from, and its state."""
        settings = self._settings.get(connector_id)
        return None if settings is None else self._describe(settings)

    def connector_status(self, connector_id: str) -> dict[str, Any] | None:
        """``GET /api/connectors/{id}/status``."""
        if connector_id not in self._settings:
            return None
        actor = self._connectors.get(connector_id)
        said: dict[str, Any] = {} if actor is None else msgspec.to_builtins(actor.statistics())
        transformed = self._transformer.statistics()
        refusal = transformed.refusals.get(connector_id)
        if refusal is not None and not said.get("consecutive_failures"):
            reason = f"{refusal.elements} elements were rejected: {refusal.reason}"
            said |= {"last_error": reason, "last_error_at": iso_time(refusal.at)}
        return {
            "connector_id": connector_id,
            **said,
            "state": self._state(connector_id),
            "items": transformed.items.get(connector_id, 0),
            "rejected": transformed.rejected.get(connector_id, 0),
            "warning": transformed.warnings.get(connector_id),
        }

    def not_ready(self) -> list[str]:
        """Why the service is not ready; empty when it is."""
        reasons = []
        waiting = self._loader.statistics()
        if waiting.last_error is not None:
            reasons.append(f"the database does not answer: {waiting.last_error}")
        reasons.extend(
            f"{actor.name} is {actor.state}: {actor.last_error}"
            for actor in self._pipeline.actors()
            if ":" not in actor.name and actor.state not in {"running", "finished"}
        )
        return reasons

    def _describe(self, settings: ConnectorSettings) -> dict[str, Any]:
        described: dict[str, Any] = msgspec.to_builtins(settings, enc_hook=encode_masked)
        return described | {
            "connector_name": settings.api_name,
            "state": self._state(settings.connector_id),
            "origin": "file" if settings.connector_id in self._configuration.origin else "api",
        }

    def _state(self, connector_id: str) -> str:
        actor = self._connectors.get(connector_id)
        if actor is None:
            return "stopped"
        state = str(actor.statistics().state)
        refusal = self._transformer.statistics().refusals.get(connector_id)
        return (
            "failing" if refusal is not None and refusal.nothing_left and state in {"running", "throttled"} else state
        )
