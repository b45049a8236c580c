"""Every expression of a configuration, compiled: what no schema sees of a mapping is found before anything starts.

:func:`read_sound_configuration` is for commands: it tells what is wrong with a folder at once, expressions among it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from .errors import ConfigError
from .settings import Configuration
from .settings.decoding import Mistake
from .settings.files import draft_configuration
from .transforms.mapping import Mapping as ItemMapping
from .transforms.symbols import SymbolTable, symbol_reader

Pairs = dict[str, tuple[str, str]]


class Compiled(Struct, frozen=True):
    """How connectors map, by id, and how symbol tables are read, by source."""

    mappings: dict[str, ItemMapping]
    symbol_readers: dict[str, Callable[[Any], Pairs]]


def draft_compiled(
    folder: Path, environment: Mapping[str, str], tables: dict[str, SymbolTable]
) -> tuple[Configuration, Compiled, list[Mistake]]:
    """What can be made of ``folder``, compiled with ``tables``, and every mistake, those in expressions too."""
    configuration, mistakes = draft_configuration(folder, environment)
    compiled, wrong = _compiled(configuration, tables)
    return configuration, compiled, mistakes + wrong


def read_sound_configuration(folder: Path, environment: Mapping[str, str]) -> Configuration:
    """The configuration in ``folder``; :class:`ConfigError` with every mistake, those in expressions too."""
    configuration, _, mistakes = draft_compiled(folder, environment, {})
    if mistakes:
        raise ConfigError(*mistakes)
    return configuration


def compile_expressions(configuration: Configuration, tables: dict[str, SymbolTable]) -> Compiled:
    """Compile everything; raises :class:`ConfigError` with every expression that is wrong.

    The mappings hold ``tables``, by source; tables that are missing are made, empty.
    """
    compiled, mistakes = _compiled(configuration, tables)
    if mistakes:
        raise ConfigError(*mistakes)
    return compiled


def _compiled(configuration: Configuration, tables: dict[str, SymbolTable]) -> tuple[Compiled, list[Mistake]]:
    compiled = Compiled({}, {})
    mistakes: list[Mistake] = []
    for one in configuration.connectors:
        file, place = configuration.origin.get(one.connector_id, ("", one.connector_id))
        table = tables.setdefault(one.source_id, SymbolTable())
        try:
            compiled.mappings[one.connector_id] = ItemMapping(one, table, file=file)
        except ConfigError as error:
            # The mapping knows its connector by id; the file knows it by place.
            mistakes.extend((file, place + path.removeprefix(one.connector_id), why) for _, path, why in error.mistakes)
    for source_id, settings in configuration.symbols.items():
        file, _ = configuration.symbol_origin.get(source_id, ("", ""))
        try:
            compiled.symbol_readers[source_id] = symbol_reader(settings, source_id=source_id, file=file)
        except ConfigError as error:
            mistakes.extend(error.mistakes)
    return compiled, mistakes
