"""Every mistake of a folder, as ``check`` and a start find them, and those that only a running service can have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ..compiling import Compiled, draft_compiled
from ..errors import ConfigError, UsageError
from ..settings import Configuration, ConnectorSettings
from ..settings.decoding import Mistake
from ..storage.address import parse_address
from ..transforms.symbols import SymbolTable


def read_checked(
    folder: Path,
    environment: Mapping[str, str],
    tables: dict[str, SymbolTable],
    *,
    made_over_rest: Mapping[str, ConnectorSettings],
    limits: Collection[str],
) -> tuple[Configuration, Compiled]:
    """The configuration in ``folder``, compiled with ``tables``; :class:`ConfigError` with every mistake.

    ``made_over_rest`` must not be harmed by it, nor lose one of the ``limits`` that are in force.
    """
    configuration, compiled, mistakes = draft_compiled(folder, environment, tables)
    try:
        parse_address(configuration.service.database.url.reveal())
    except UsageError as error:
        mistakes.append((str(folder / "service.toml"), "database.url", str(error)))
    mistakes.extend(taken_ids(configuration, made_over_rest))
    for name in sorted(set(limits) - set(configuration.limits)):
        users = [one.connector_id for one in made_over_rest.values() if name in named_limits(one)]
        if users:
            reason = f"it is still named by connector {users[0]!r}, which was made over REST; change that one first"
            mistakes.append((str(folder / "connectors"), f"limits.{name}", reason))
    if mistakes:
        raise ConfigError(*mistakes)
    return configuration, compiled


def taken_ids(configuration: Configuration, made_over_rest: Iterable[str]) -> list[Mistake]:
    """The connectors of files whose id belongs to one that was made over REST."""
    places = [(name, *configuration.origin[name]) for name in made_over_rest if name in configuration.origin]
    return [
        (
            file,
            f"{place}.connector_id",
            f"{name!r} is the id of a connector that was made over REST; choose another, or delete that one first",
        )
        for name, file, place in places
    ]


def named_limits(connector: ConnectorSettings) -> set[str]:
    """The limits that a connector names."""
    snapshot = None if connector.sequence is None else connector.sequence.snapshot
    return {name for name in (connector.limit, None if snapshot is None else snapshot.limit) if name is not None}
