"""Reads the folder anew when asked, and takes over what changed; or refuses it whole, and says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Protocol

import structlog
import trio

from ..compiling import Compiled
from ..errors import ConfigError, StorageUnavailable
from ..settings import Configuration
from ..settings.decoding import Mistake
from ..transforms.symbols import SymbolTable
from ..wire import iso_time
from .applying import Applied
from .checking import read_checked
from .settling import settled
from .sight import NotingEnvironment, Sight, look

log = structlog.get_logger("config")

RETRY_SECONDS = 5.0


class Live(Protocol):
    """The settings of the service."""

    def waiting(self) -> list[str]: ...


class Applier(Protocol):
    """Makes what runs what a configuration says."""

    @property
    def live(self) -> Live: ...
    def in_force(self) -> dict[str, Any]: ...
    async def apply(self, wanted: Configuration, compiled: Compiled) -> Applied: ...


class Reloader:
    """Keeps what runs in step with ``folder``; None where there is none of one's own to read.

    ``stopping()`` tells whether the service is about to end, and nothing is to be begun any more.
    """

    def __init__(
        self,
        folder: Path | None,
        environment: Mapping[str, str],
        tables: dict[str, SymbolTable],
        applier: Applier,
        *,
        stopping: Callable[[], bool],
    ) -> None:
        self.folder = folder
        self._environment = environment
        self._tables = tables
        self._applier = applier
        self._stopping = stopping
        self._nudge = trio.Event()
        self._demanded = False
        self._retry_at = inf
        self._sight = Sight({})
        self._secret_files: frozenset[str] = frozenset()
        self._loaded_at = datetime.now(UTC)
        self._error: dict[str, Any] | None = None

    def statistics(self) -> dict[str, Any]:
        """For the status route."""
        return {
            "folder": None if self.folder is None else str(self.folder),
            "last_loaded_at": iso_time(self._loaded_at),
            "last_error": self._error,
            "needs_restart": self._applier.live.waiting(),
        }

    def look_nowait(self) -> None:
        """Something may have changed."""
        self._nudge.set()

    def reload_nowait(self, asked_by: str) -> None:
        """Read everything anew, changed or not."""
        if self.folder is None:
            log.info("config.nothing_to_read", asked_by=asked_by, reason="the shipped config is in use; see --config")
            return
        log.info("config.reloading", asked_by=asked_by, folder=str(self.folder))
        self._demanded = True
        self._nudge.set()

    async def run(self) -> None:
        """Until cancelled."""
        if self.folder is None:
            return
        self._sight = Sight({})  # what changed before the first look, or was left half done by a crash, is a change too
        self._nudge.set()
        while True:
            with trio.move_on_at(self._retry_at):
                await self._nudge.wait()
            self._nudge = trio.Event()
            demanded, self._demanded = self._demanded, False
            if not self._stopping():
                await self._look(self.folder, demanded or trio.current_time() >= self._retry_at)

    async def _look(self, folder: Path, demanded: bool) -> None:
        """Read what changed, once nobody writes any more."""
        while True:
            see = partial(trio.to_thread.run_sync, look, folder, self._secret_files)
            seen = await see()
            if seen == self._sight and not demanded:
                return
            seen = await settled(see, self._sight)
            environment = NotingEnvironment(self._environment)
            read = partial(read_checked, folder, environment, self._tables, **self._applier.in_force())
            found: tuple[Configuration, Compiled] | None = None
            mistakes: tuple[Mistake, ...] = ()
            try:
                found = await trio.to_thread.run_sync(read)
            except ConfigError as error:
                mistakes = error.mistakes
            if await see() != seen:
                demanded = True  # it was written to while it was read
                continue
            self._secret_files = frozenset(environment.secret_files)
            self._sight = await trio.to_thread.run_sync(look, folder, self._secret_files)
            self._retry_at = inf
            if found is None:
                self._refuse(mistakes)
            else:
                await self._take_over(*found, demanded=demanded)
            return

    async def _take_over(self, configuration: Configuration, compiled: Compiled, *, demanded: bool) -> None:
        waiting = self._applier.live.waiting()
        try:
            applied = await self._applier.apply(configuration, compiled)
        except ConfigError as error:
            self._refuse(error.mistakes)
            return
        except StorageUnavailable as error:
            self._postpone(f"the database does not answer, and has to before this can be applied: {error}", {})
            return
        if applied.undone:
            self._postpone("some connectors are still as they were", applied.undone)
        else:
            self._error, self._loaded_at = None, datetime.now(UTC)
        if applied.done or demanded:
            log.info("config.reloaded", folder=str(self.folder), **applied.done)
        for name in self._applier.live.waiting():
            if name not in waiting or demanded:
                log.warning("config.needs_restart", setting=name, reason="takes effect after a restart")

    def _refuse(self, mistakes: tuple[Mistake, ...]) -> None:
        for file, path, reason in mistakes:
            log.error("config.refused", file=file, key=path, reason=reason)
        self._tell("what is written there is not sound, and was not applied; everything runs on as it was", mistakes)

    def _postpone(self, reason: str, undone: Mapping[str, str]) -> None:
        self._retry_at = trio.current_time() + RETRY_SECONDS
        log.warning("config.postponed", reason=reason, trying_again_in=RETRY_SECONDS, connectors=dict(undone))
        self._tell(reason, [("", name, why) for name, why in undone.items()])

    def _tell(self, reason: str, mistakes: Any) -> None:
        told = [{"file": file, "path": path, "message": why} for file, path, why in mistakes]
        self._error = {"at": iso_time(datetime.now(UTC)), "reason": reason, "mistakes": told}
