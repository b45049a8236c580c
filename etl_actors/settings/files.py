"""Reads a config folder: ``service.toml`` and ``connectors/*.toml``, decoded strictly.

Every mistake of every file is collected and told at once, each with its file, the path of its key and the reason.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from ..errors import ConfigError
from .connector import RESERVED_IDS, ConnectorSettings, LimitSettings, SymbolSettings
from .interpolation import Interpolated, as_scalar, interpolate
from .secret import decode_secret
from .service import DEFAULT_REFERENCES, ServiceSettings

T = TypeVar("T")
Mistake = tuple[str, str, str]

_LOCATION = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<name>[^`]*)`")
_SCHEMES = {"rest": ("http", "https"), "websocket": ("ws", "wss"), "replay": ("file", "http", "https", "")}


class ConnectorFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of ``connectors/``."""

    limits: dict[str, LimitSettings] = {}
    symbols: dict[str, SymbolSettings] = {}
    connectors: tuple[ConnectorSettings, ...] = ()


class Configuration(Struct, frozen=True, kw_only=True):
    """A whole config folder, sound in itself. ``origin`` and ``symbol_origin`` tell which file a thing came from."""

    service: ServiceSettings = msgspec.field(default_factory=ServiceSettings)
    limits: dict[str, LimitSettings] = {}
    symbols: dict[str, SymbolSettings] = {}
    connectors: tuple[ConnectorSettings, ...] = ()
    origin: dict[str, str] = {}
    symbol_origin: dict[str, str] = {}


def read_configuration(folder: Path, environment: Mapping[str, str]) -> Configuration:
    """The configuration in ``folder``; raises :class:`ConfigError` with every mistake found."""
    if not folder.is_dir():
        raise ConfigError((str(folder), "--config", "no such folder"))
    mistakes: list[Mistake] = []
    service_file = folder / "service.toml"
    document = _read_toml(service_file, mistakes) if service_file.exists() else {}
    service = _decode(_with_defaults(document), ServiceSettings, str(service_file), environment, mistakes)
    files: dict[str, ConnectorFile] = {}
    for path in sorted((folder / "connectors").glob("*.toml")):
        decoded = _decode(_read_toml(path, mistakes), ConnectorFile, str(path), environment, mistakes)
        if decoded is not None:
            files[str(path)] = decoded
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


def _decode(
    document: Any, kind: type[T], file: str, environment: Mapping[str, str], mistakes: list[Mistake]
) -> T | None:
    before = len(mistakes)
    resolved = interpolate(document, environment, lambda path, reason: mistakes.append((file, path, reason)))
    if len(mistakes) > before:
        return None
    # msgspec stops at the first mistake: a wanted number that came as text from the environment is turned into one
    # and the decoding tried again; anything else is told, cut out, and the rest is looked at too.
    for _ in range(1000):
        try:
            return msgspec.convert(resolved, kind, strict=True, dec_hook=decode_secret)
        except msgspec.ValidationError as error:
            path, reason = _explain(error, kind)
            path = _named(resolved, path, kind, str(error))
            parent, key = _locate(resolved, path)
            if parent is not None and isinstance(parent[key], Interpolated):
                value = as_scalar(parent[key])
                parent[key] = value if not isinstance(value, Interpolated) else str(value)
                continue
            if "missing required field" in reason and len(mistakes) > before:
                return None  # most likely the key that was cut out a moment ago
            mistakes.append((file, path or "(whole file)", reason))
            if not _cut_out(resolved, path, error):
                return None
    return None


def _explain(error: msgspec.ValidationError, kind: type) -> tuple[str, str]:
    text = str(error)
    located = _LOCATION.search(text)
    path = located["path"] if located else ""
    reason = text[: located.start()] if located else text
    if "regex" in reason and path.endswith("connector_id"):
        return path, "an id is 1 to 255 letters, digits, '_', '.' or '-', and begins with a letter or digit"
    unknown = _UNKNOWN_FIELD.search(text)
    if unknown:
        path = f"{path}.{unknown['name']}" if path else unknown["name"]
        near = difflib.get_close_matches(unknown["name"], _known_keys(kind), n=1)
        reason = "unknown key" + (f"; did you mean {near[0]!r}?" if near else "")
    return path, reason[0].lower() + reason[1:] if reason[:1].isupper() else reason


def _known_keys(kind: type) -> set[str]:
    keys: set[str] = set()
    stack: list[Any] = [msgspec.inspect.type_info(kind)]
    while stack:
        node = stack.pop()
        if isinstance(node, msgspec.inspect.StructType):
            keys.update(member.encode_name for member in node.fields)
            stack.extend(member.type for member in node.fields)
        stack.extend(getattr(node, name) for name in ("item_type", "value_type") if hasattr(node, name))
        stack.extend(getattr(node, "types", ()))
    return keys


def _named(document: Any, path: str, kind: type, complaint: str) -> str:
    """``path`` with the name of the table where msgspec says ``[...]``: the one that is wrong by itself too."""
    before, wildcard, after = path.partition("[...]")
    if not wildcard:
        return path
    parent, key = _locate(document, before)
    for name in parent[key] if parent is not None else ():
        alone = {**document, before: {name: parent[key][name]}}
        try:
            msgspec.convert(alone, kind, strict=True, dec_hook=decode_secret)
        except msgspec.ValidationError as error:
            if str(error) == complaint:
                return f"{before}.{name}{after}"
    return path


def _locate(document: Any, path: str) -> tuple[Any, Any]:
    """The container that holds the value at ``path`` and its key there; (None, None) when it is not there."""
    keys: list[str | int] = [
        int(part[1:-1]) if part.startswith("[") else part for part in re.findall(r"\[\d+\]|[^.\[\]]+", path)
    ]
    node = document
    try:
        for key in keys[:-1]:
            node = node[key]
        if keys and node[keys[-1]] is not None:
            return node, keys[-1]
    except (KeyError, IndexError, TypeError):
        pass
    return None, None


def _cut_out(document: Any, path: str, error: msgspec.ValidationError) -> bool:
    parent, key = _locate(document, path)
    if isinstance(parent, dict) and ("unknown field" in str(error) or len(path.split(".")) > 1):
        del parent[key]
        return True
    return False


def _merge(service: ServiceSettings, files: Mapping[str, ConnectorFile], mistakes: list[Mistake]) -> Configuration:
    limits: dict[str, LimitSettings] = {}
    symbols: dict[str, SymbolSettings] = {}
    connectors: list[ConnectorSettings] = []
    origin: dict[str, str] = {}
    symbol_origin: dict[str, str] = {}
    for file, content in files.items():
        _merge_tables(file, "limits", content.limits, limits, mistakes)
        _merge_tables(file, "symbols", content.symbols, symbols, mistakes)
        symbol_origin.update(dict.fromkeys(content.symbols, file))
        for index, connector in enumerate(content.connectors):
            place = f"connectors[{index}]"
            if connector.connector_id in origin:
                other = origin[connector.connector_id]
                mistakes.append((file, f"{place}.connector_id", f"{connector.connector_id!r} is already in {other}"))
                continue
            origin[connector.connector_id] = file
            connectors.append(connector)
            mistakes.extend((file, f"{place}.{key}", reason) for key, reason in connector_mistakes(connector))
    for name, table in symbols.items():
        if table.limit is not None and table.limit not in limits:
            mistakes.append((symbol_origin[name], f"symbols.{name}.limit", f"no [limits.{table.limit}]"))
    for connector in connectors:
        if connector.limit is not None and connector.limit not in limits:
            known = ", ".join(sorted(limits)) or "none is declared"
            file = origin[connector.connector_id]
            mistakes.append((file, f"{connector.connector_id}.limit", f"no [limits.{connector.limit}]; known: {known}"))
    return Configuration(service=service, limits=limits, symbols=symbols, connectors=tuple(connectors), origin=origin)


def _merge_tables(file: str, table: str, found: Mapping[str, T], into: dict[str, T], mistakes: list[Mistake]) -> None:
    for name, value in found.items():
        if name in into:
            mistakes.append((file, f"{table}.{name}", "declared twice; keep one"))
        into[name] = value


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
    auth = connector.auth
    if getattr(auth, "header", "") and getattr(auth, "param", ""):
        found.append(("auth", "give the key in a header or in a param, not in both"))
    return found
