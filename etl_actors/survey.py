"""The surveyors that run now, one for each symbol table; like connectors, they may come and go while we run."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

import trio

from .actors.surveyor import Surveyor
from .supervisor import CONNECTORS, ActorStatistics, Supervised


class Survey:
    """Runs surveyors, by source. ``known`` are the sources whose tables hold what they said once: nobody waits for
    these.
    """

    def __init__(self, surveyors: Mapping[str, Surveyor] | None = None, *, known: Container[str] = ()) -> None:
        self.surveyors: dict[str, Surveyor] = dict(surveyors or {})
        self._unknown = {source_id for source_id in self.surveyors if source_id not in known}
        self._supervised: dict[str, Supervised] = {}
        self._scopes: dict[str, trio.CancelScope] = {}
        self._start: Callable[[str], None] | None = None

    def statistics(self) -> list[ActorStatistics]:
        """Every surveyor and how it is."""
        return [supervised.statistics() for supervised in self._supervised.values()]

    def first_answer(self, source_id: str) -> trio.Event | None:
        """Set once a source that nothing is known of was asked; None where there is nothing to wait for."""
        return self.surveyors[source_id].ready if source_id in self._unknown else None

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as tasks:

            def start(source_id: str) -> None:
                self._scopes[source_id] = trio.CancelScope()
                self._supervised[source_id] = Supervised(f"surveyor:{source_id}", CONNECTORS)
                tasks.start_soon(self._run_one, source_id, self._scopes[source_id])

            for source_id in self.surveyors:
                start(source_id)
            self._start = start
            try:
                await trio.sleep_forever()
            finally:
                self._start = None

    def put_nowait(self, surveyor: Surveyor, *, known: bool) -> None:
        """This one from now on, in the place of the one its source had, if it had one."""
        source_id = surveyor.source_id
        self.drop_nowait(source_id)
        self.surveyors[source_id] = surveyor
        if not known:
            self._unknown.add(source_id)
        if self._start is not None:  # else it starts with the others, or not at all: the service stops
            self._start(source_id)

    def drop_nowait(self, source_id: str) -> None:
        """No more of it. Nothing of it has to be waited for: a table is replaced in one step."""
        self.surveyors.pop(source_id, None)
        self._unknown.discard(source_id)
        self._supervised.pop(source_id, None)
        scope = self._scopes.pop(source_id, None)
        if scope is not None:
            scope.cancel()

    async def _run_one(self, source_id: str, scope: trio.CancelScope) -> None:
        surveyor, supervised = self.surveyors.get(source_id), self._supervised.get(source_id)
        with scope:
            if surveyor is not None and supervised is not None:  # else it was dropped before its first step
                await supervised.run(surveyor.run)
