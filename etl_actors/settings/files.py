"""Reads a config folder: ``service.toml`` and ``connectors/*.toml``, decoded strictly.

Every mistake of every file is collected and told at once, each with its file, the path of its key and the reason.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from ..errors import ConfigError
from .connector import RESERVED_IDS, ApiKeyAuth, ConnectorSettings, LimitSettings, SymbolSettings
from .decoding import Mistake, decode
from .service import DEFAULT_REFERENCES, ServiceSettings

T = TypeVar("T")

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\uffff]*")
_SCHEMES = {"rest": ("http", "https"), "websocket": ("ws", "wss"), "replay": ("file", "http", "https", "")}


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
    if service is not None:
        mistakes.extend((str(service_file), key, reason) for key, reason in service_mistakes(service))
    merged = _merge(service or ServiceSettings(), files, mistakes)
    if mistakes:
        raise ConfigError(*mistakes)
    return merged


def _read_toml(path: Path, mistakes: list[Mistake]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        mistakes.append((str(path), "(syntax)", str(error)))
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
            mistakes.extend((file, f"{place}.{key}", reason) for key, reason in connector_mistakes(connector))
    for name, table in symbols.items():
        if table.limit is not None and table.limit not in limits:
            file, place = symbol_origin[name]
            mistakes.append((file, f"{place}.limit", f"no [limits.{table.limit}]"))
    for connector in connectors:
        if connector.limit is not None and connector.limit not in limits:
            known = ", ".join(sorted(limits)) or "none"
            file, place = origin[connector.connector_id]
            mistakes.append((file, f"{place}.limit", f"no [limits.{connector.limit}]; known: {known}"))
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


def service_mistakes(service: ServiceSettings) -> list[tuple[str, str]]:
    """What the schema alone cannot see, as ``(key, reason)``."""
    database = service.database
    if database.min_connections > database.max_connections:
        most = database.max_connections
        return [("database.min_connections", f"{database.min_connections} are more than max_connections = {most}")]
    return []


def connector_mistakes(connector: ConnectorSettings) -> list[tuple[str, str]]:
    """What the schema alone cannot see, as ``(key, reason)``."""
    found = []
    if connector.connector_id in RESERVED_IDS:
        found.append(("connector_id", f"{connector.connector_id!r} is reserved; choose another id"))
    parts = urlsplit(connector.url)
    if parts.scheme not in _SCHEMES[connector.kind]:
        wanted = " or ".join(f"{scheme}://" for scheme in _SCHEMES[connector.kind] if scheme)
        found.append(("url", f"a {connector.kind} connector needs a url that begins with {wanted}"))
    elif parts.scheme in {"http", "https", "ws", "wss"} and not parts.hostname:
        found.append(("url", "this url names no host"))
    for name, value in connector.headers.items():
        if not _HEADER_NAME.fullmatch(name):
            found.append((f"headers.{name}", "this is no name that HTTP allows for a header"))
        elif not _HEADER_VALUE.fullmatch(value):
            found.append((f"headers.{name}", "a header holds one line of visible characters"))
    auth = connector.auth
    if isinstance(auth, ApiKeyAuth) and not auth.param and not _HEADER_VALUE.fullmatch(auth.value.reveal()):
        found.append(("auth.value", "a header holds one line of visible characters; is there a newline in it?"))
    if getattr(auth, "header", "") and getattr(auth, "param", ""):
        found.append(("auth", "give the key in a header or in a param, not in both"))
    return found
