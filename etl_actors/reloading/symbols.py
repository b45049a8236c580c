"""Symbol tables, changed while mappings hold them: the pairs are replaced in place, and so is who keeps them fresh."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import trio

from ..compiling import Pairs
from ..factory import ActorFactory
from ..settings import SymbolSettings
from ..survey import Survey
from ..transforms.symbols import SymbolTable, shipped_snapshot


class SymbolTables:
    """The declared tables. ``settings`` are those in force, by source."""

    def __init__(self, settings: Mapping[str, SymbolSettings], factory: ActorFactory, survey: Survey) -> None:
        self.settings = dict(settings)
        self._factory = factory
        self._survey = survey

    async def put(
        self,
        put: Mapping[str, SymbolSettings],
        readers: Mapping[str, Callable[[Any], Pairs]],
        stored: Mapping[str, Pairs],
    ) -> None:
        """These are new, or read in another way. What is known of a source's pairs serves until its next answer."""
        for source_id, settings in put.items():
            table = self._factory.tables.setdefault(source_id, SymbolTable())
            asked_before = source_id in self.settings or bool(stored.get(source_id))
            if source_id not in self.settings:
                snapshot = await trio.to_thread.run_sync(shipped_snapshot, source_id)
                table.replace(stored.get(source_id) or snapshot)
            known = {} if not asked_before else stored.get(source_id, {})
            surveyor = self._factory.surveyor(source_id, settings, readers[source_id], known)
            self._survey.put_nowait(surveyor, known=asked_before)
            self.settings[source_id] = settings

    def drop(self, source_id: str) -> None:
        """No file declares it any more."""
        self._survey.drop_nowait(source_id)
        self._factory.tables[source_id].replace({})
        del self.settings[source_id]
