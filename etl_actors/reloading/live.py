"""Which settings of service.toml take effect while the service runs; of the others it is told that they wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..settings import ServiceSettings

Setter = Callable[[ServiceSettings], None]


class LiveSettings:
    """The settings in force. ``setters`` say how a table (``retention``) or a key (``logging.debug``) is changed."""

    def __init__(self, started_with: ServiceSettings, setters: Mapping[str, Setter]) -> None:
        self._started_with = started_with
        self._in_force = started_with
        self._setters = setters

    def apply(self, wanted: ServiceSettings) -> list[str]:
        """Put in force what can be; returns the keys that were."""
        names = [name for name in changed_keys(self._in_force, wanted) if self._setter(name) is not None]
        for setter in dict.fromkeys(self._setter(name) for name in names):
            assert setter is not None
            setter(wanted)
        self._in_force = wanted
        return names

    def waiting(self) -> list[str]:
        """The keys whose newest value takes effect after a restart."""
        return [name for name in changed_keys(self._started_with, self._in_force) if self._setter(name) is None]

    def _setter(self, name: str) -> Setter | None:
        return self._setters.get(name) or self._setters.get(name.partition(".")[0])


def changed_keys(before: ServiceSettings, after: ServiceSettings) -> list[str]:
    """The keys that differ, as they are written: ``server.port``."""
    return [
        f"{table}.{key}"
        for table in before.__struct_fields__
        for key in getattr(before, table).__struct_fields__
        if getattr(getattr(before, table), key) != getattr(getattr(after, table), key)
    ]
