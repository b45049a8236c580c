"""Reads a config folder: ``service.toml`` and ``connectors/*.toml``, decoded strictly.

Every mistake of every file is collected and told at once, each with its file, the path of its key and the reason.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from ..errors import ConfigError
from .connector import (
    ConnectorSettings,
    LimitSettings,
    SymbolSettings,
)
from .decoding import Mistake
from .drafting import decode
from .mistakes import connector_mistakes, service_mistakes, untold
from .service import DEFAULT_REFERENCES, ServiceSettings

T = TypeVar("T")

_INVALID_VALUE = re.compile(r"Invalid value \(at line (?P<line>[0-9]+),")
_KEY = re.compile(r"\s*(?P<key>[\w.-]+)\s*=")


class ConnectorFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of ``connectors/``."""

    limits: dict[str, LimitSettings] = {}
    symbols: dict[str, SymbolSettings] = {}
    connectors: tuple[ConnectorSettings, ...] = ()


class Configuration(Struct, frozen=True, kw_only=True):
    """A whole config folder, sound in itself.

    ``origin`` tells where a connector was written: ``(file, key path)`` by id; ``symbol_origin`` the same of tables.
    """

    service: ServiceSettings = msgspec.field(default_factory=ServiceSettings)
    limits: dict[str, LimitSettings] = {}
    symbols: dict[str, SymbolSettings] = {}
    connectors: tuple[ConnectorSettings, ...] = ()
    origin: dict[str, tuple[str, str]] = {}
    symbol_origin: dict[str, tuple[str, str]] = {}


def read_configuration(folder: Path, environment: Mapping[str, str]) -> Configuration:
    """The configuration in ``folder``; raises :class:`ConfigError` with every mistake found."""
    configuration, mistakes = draft_configuration(folder, environment)
    if mistakes:
        raise ConfigError(*mistakes)
    return configuration


def draft_configuration(folder: Path, environment: Mapping[str, str]) -> tuple[Configuration, list[Mistake]]:
    """What can be made of ``folder``, and every mistake found: for whoever looks further before telling them."""
    if not folder.is_dir():
        reason = "this is a file; give the folder it lies in" if folder.exists() else "no such folder"
        raise ConfigError((str(folder), "--config", reason))
    mistakes: list[Mistake] = []
    service_file = folder / "service.toml"
    document = _read_toml(service_file, mistakes) if service_file.exists() else {}
    service = decode(_with_defaults(document), ServiceSettings, str(service_file), environment, mistakes)
    files: dict[str, ConnectorFile] = {}
    for path in sorted((folder / "connectors").glob("*.toml")):
        decoded = decode(_read_toml(path, mistakes), ConnectorFile, str(path), environment, mistakes)
        if decoded is not None:
            files[str(path)] = decoded
    service = service or ServiceSettings()
    _tell(mistakes, str(service_file), "", service_mistakes(service))
    return _merge(service, files, mistakes), mistakes


def _tell(mistakes: list[Mistake], file: str, place: str, found: list[tuple[str, str]]) -> None:
    """Add what is ``found`` at ``place``, which ends with a dot, unless it follows from what was told already."""
    told = [path.removeprefix(place) for where, path, _ in mistakes if where == file and path.startswith(place)]
    mistakes.extend((file, place + key, reason) for key, reason in untold(found, told))


def _explained(complaint: str, text: str) -> str:
    """What the reader of TOML says, and of a value whose it is; not the value, which may be a secret."""
    found = _INVALID_VALUE.match(complaint)
    named = None if found is None else _KEY.match(text.splitlines()[int(found["line"]) - 1])
    if named is None:
        return complaint
    return f"{complaint}: that of `{named['key']}`; a text stands in quotes"


def _read_toml(path: Path, mistakes: list[Mistake]) -> dict[str, Any]:
    text = ""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        mistakes.append((str(path), "(syntax)", _explained(str(error), text)))
    except UnicodeDecodeError:
        mistakes.append((str(path), "(encoding)", "this file is not UTF-8 text"))
    except OSError as error:
        mistakes.append((str(path), "(file)", error.strerror or str(error)))
    return {}


def _with_defaults(document: dict[str, Any]) -> dict[str, Any]:
    merged = dict(document)
    for section, references in DEFAULT_REFERENCES.items():
        table = document.get(section, {})
        if isinstance(table, dict):
            merged[section] = {**references, **table}
    return merged


def _merge(service: ServiceSettings, files: Mapping[str, ConnectorFile], mistakes: list[Mistake]) -> Configuration:
    limits: dict[str, LimitSettings] = {}
    symbols: dict[str, SymbolSettings] = {}
    connectors: list[ConnectorSettings] = []
    origin: dict[str, tuple[str, str]] = {}
    symbol_origin: dict[str, tuple[str, str]] = {}
    for file, content in files.items():
        _merge_tables(file, "limits", content.limits, limits, mistakes)
        _merge_tables(file, "symbols", content.symbols, symbols, mistakes)
        symbol_origin.update({name: (file, f"symbols.{name}") for name in content.symbols})
        for index, connector in enumerate(content.connectors):
            place = f"connectors[{index}]"
            if connector.connector_id in origin:
                other, _ = origin[connector.connector_id]
                mistakes.append((file, f"{place}.connector_id", f"{connector.connector_id!r} is already in {other}"))
                continue
            origin[connector.connector_id] = (file, place)
            connectors.append(connector)
            _tell(mistakes, file, f"{place}.", connector_mistakes(connector))
    for name, table in symbols.items():
        if table.limit is not None and table.limit not in limits:
            file, place = symbol_origin[name]
            _tell(mistakes, file, f"{place}.", [("limit", f"no [limits.{table.limit}]")])
    for connector in connectors:
        if connector.limit is not None and connector.limit not in limits:
            known = ", ".join(sorted(limits)) or "none"
            file, place = origin[connector.connector_id]
            _tell(mistakes, file, f"{place}.", [("limit", f"no [limits.{connector.limit}]; known: {known}")])
        snapshot = None if connector.sequence is None else connector.sequence.snapshot
        if snapshot is not None and snapshot.limit is not None and snapshot.limit not in limits:
            file, place = origin[connector.connector_id]
            _tell(mistakes, file, f"{place}.", [("sequence.snapshot.limit", f"no [limits.{snapshot.limit}]")])
    return Configuration(
        service=service,
        limits=limits,
        symbols=symbols,
        connectors=tuple(connectors),
        origin=origin,
        symbol_origin=symbol_origin,
    )


def _merge_tables(file: str, table: str, found: Mapping[str, T], into: dict[str, T], mistakes: list[Mistake]) -> None:
    for name, value in found.items():
        if name in into:
            mistakes.append((file, f"{table}.{name}", "declared twice; keep one"))
        into[name] = value
