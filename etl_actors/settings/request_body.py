"""A connector as it comes over REST: the same schema as in files, with less trust.

Nothing is read from the environment here, or a caller could send our variables to an address of its choice. Secrets
belong into ``auth`` and not into the url, which is shown. What a GET adds to the settings is ignored when it comes
back, so that a client can change one key of what it got.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from msgspec.structs import replace

from ..errors import ConfigError
from .connector import ConnectorSettings, OAuth2Auth
from .decoding import Mistake
from .disclosure import sounds_secret
from .drafting import draft
from .mistakes import connector_mistakes, untold

# What a GET adds to the settings.
READ_ONLY = frozenset({"state", "origin", "file", "created_at", "updated_at", "trouble"})

Draft = tuple[ConnectorSettings | None, list[Mistake]]
"""A connector as far as it could be read, and everything that is wrong with it."""

EXTRACT_ID = "extract"
EXTRACT_NAME = "Extracted from a URL"
EXTRACT_KEYS = frozenset({"url", "method", "headers", "params", "auth", "items", "connector_id", "timeout_seconds"})


_KNOWN = frozenset(ConnectorSettings.__struct_encode_fields__)


def draft_connector(document: dict[str, Any], told: Sequence[Mistake] = ()) -> Draft:
    """What can be made of ``document``, and every mistake; ``told`` are those known already, which come first."""
    mistakes = list(told)
    # What lies under a key that nobody knows is not looked into, however much it is.
    stated = {
        key: copy.deepcopy(value) if key in _KNOWN else None for key, value in document.items() if key not in READ_ONLY
    }
    mistakes.extend(("", path, "holds a NUL character, which cannot be stored") for path in _with_nul(stated))
    connector = draft(stated, ConnectorSettings, "", mistakes, cut=[path for _, path, _ in told])
    if connector is not None:
        tell(mistakes, connector_mistakes(connector))
        tell(mistakes, _exposed(connector))
        if connector.connector_name == connector.connector_id:  # without a name it is shown under its id
            connector = replace(connector, connector_name="")
    return connector, mistakes


def tell(mistakes: list[Mistake], found: Iterable[tuple[str, str]]) -> None:
    """Add what is ``found`` in a draft, unless it follows from what was told already."""
    mistakes.extend(("", key, reason) for key, reason in untold(found, [path for _, path, _ in mistakes]))


def sound(connector: ConnectorSettings | None, mistakes: list[Mistake]) -> ConnectorSettings:
    """The draft, when there is nothing wrong with it; else :class:`ConfigError`."""
    if mistakes or connector is None:
        raise ConfigError(*mistakes)
    return connector


def draft_extract(document: dict[str, Any], told: Sequence[Mistake] = ()) -> Draft:
    """What to fetch once, as the connector that would, and every mistake; ``told`` as above."""
    mistakes = [
        *told,
        *(
            ("", key, f"unknown key; an extraction has {', '.join(sorted(EXTRACT_KEYS))}")
            for key in document
            if key not in EXTRACT_KEYS
        ),
    ]
    stated = {key: value for key, value in document.items() if key in EXTRACT_KEYS}
    connector, mistakes = draft_connector({"connector_id": "unnamed", **stated}, mistakes)
    if connector is not None and "connector_id" not in document:
        connector = replace(connector, connector_id=EXTRACT_ID, connector_name=EXTRACT_NAME)
    return connector, mistakes


def _with_nul(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, str) and "\0" in value:
        yield path
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _with_nul(key, path)
            yield from _with_nul(child, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _with_nul(child, f"{path}[{index}]")


def _exposed(connector: ConnectorSettings) -> list[tuple[str, str]]:
    """Secrets where everybody would see them, and files that a caller must not reach."""
    found = []
    if connector.kind == "replay":
        found.append(("kind", "replay connectors read files of this machine, so only config files can make them"))
    found += _exposed_in("url", connector.url, "give it as auth, type basic, which is kept encrypted")
    if isinstance(connector.auth, OAuth2Auth):
        where = "client_id and client_secret say who asks for a token"
        found += _exposed_in("auth.token_url", connector.auth.token_url, where)
    return found


def _exposed_in(path: str, url: str, user_belongs: str) -> Iterator[tuple[str, str]]:
    try:
        parts = urlsplit(url)
    except ValueError:
        yield path, "its host cannot be read"
        return
    if "@" in parts.netloc:
        yield path, f"it holds a user; {user_belongs}"
    for name, value in parse_qsl(parts.query):
        if value and sounds_secret(name):
            yield path, f"its query holds a secret ({name}); give it in auth or params, which are encrypted"
