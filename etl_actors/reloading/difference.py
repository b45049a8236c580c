"""What has to change so that what runs is what the files say. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ..roster_entry import Entry, written_entries
from ..settings import Configuration, LimitSettings, SymbolSettings


class Running(Struct, frozen=True, kw_only=True):
    """What is in force now."""

    entries: Mapping[str, Entry]
    limits: Mapping[str, LimitSettings]
    symbols: Mapping[str, SymbolSettings]


class Difference(Struct, frozen=True, kw_only=True):
    """Connectors by id; ``moved`` are the same as before, in another file. Of limits and symbols ``put`` are those that
    are new or changed.
    """

    added: dict[str, Entry]
    changed: dict[str, Entry]
    moved: dict[str, Entry]
    removed: tuple[str, ...]
    limits_put: dict[str, LimitSettings]
    limits_removed: tuple[str, ...]
    symbols_put: dict[str, SymbolSettings]
    symbols_removed: tuple[str, ...]

    def names(self) -> dict[str, list[str]]:
        """What changes, by kind."""
        return {kind: list(getattr(self, kind)) for kind in self.__struct_fields__}


def difference(running: Running, wanted: Configuration) -> Difference:
    """How to get from here to there. What was made over REST is left alone."""
    before = {name: entry for name, entry in running.entries.items() if entry.file is not None}
    after = {entry.settings.connector_id: entry for entry in written_entries(wanted)}
    both = {name: entry for name, entry in after.items() if name in before}
    return Difference(
        added={name: entry for name, entry in after.items() if name not in before},
        changed={name: entry for name, entry in both.items() if entry.settings != before[name].settings},
        moved={
            name: entry
            for name, entry in both.items()
            if entry.settings == before[name].settings and entry.file != before[name].file
        },
        removed=tuple(name for name in before if name not in after),
        limits_put={name: one for name, one in wanted.limits.items() if running.limits.get(name) != one},
        limits_removed=tuple(name for name in running.limits if name not in wanted.limits),
        symbols_put={name: one for name, one in wanted.symbols.items() if running.symbols.get(name) != one},
        symbols_removed=tuple(name for name in running.symbols if name not in wanted.symbols),
    )
