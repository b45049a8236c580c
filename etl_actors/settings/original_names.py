"""The names that the original gave a connector's settings, translated into the schema's.

``id`` and ``name`` are ``connector_id`` and ``connector_name``; ``auth_type`` and ``auth_value`` are ``auth``. The
types may be written as the original's pages write them ("API Key", "Bearer Token", "Basic Auth", "HMAC"). REST and the
Python classes both call :func:`translated_names`; files have the schema's names only. Pure, and no reason repeats a
value that may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError

API_KEY_HEADER = "X-API-Key"

_RENAMED = {"id": "connector_id", "name": "connector_name"}
# Without upper case and without what stands between words.
_TYPES = {
    "": "none",
    "none": "none",
    "noauth": "none",
    "apikey": "api_key",
    "bearer": "bearer",
    "bearertoken": "bearer",
    "basic": "basic",
    "basicauth": "basic",
    "hmac": "hmac",
    "oauth2": "oauth2",
}
_PAIRS = {"basic": ("username", "password"), "hmac": ("key", "secret")}


def translated_names(document: Mapping[str, Any], *, file: str = "") -> dict[str, Any]:
    """A copy of ``document`` with the schema's names; what has them already is left as it is.

    Raises :class:`ConfigError` with every contradiction, as ``(file, key, reason)``.
    """
    translated, mistakes = draft_names(document, file=file)
    if mistakes:
        raise ConfigError(*mistakes)
    return translated


def draft_names(document: Mapping[str, Any], *, file: str = "") -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """The same, as far as there is no contradiction, and every contradiction."""
    mistakes: list[tuple[str, str, str]] = []
    translated = {key: value for key, value in document.items() if key not in {*_RENAMED, "auth_type", "auth_value"}}
    for old, new in _RENAMED.items():
        if old not in document:
            continue
        if new in document and document[new] != document[old]:
            mistakes.append((file, old, f"this is another name of {new}, and the two differ; keep one of them"))
        translated[new] = document[old]
    if "auth_type" in document or "auth_value" in document:
        try:
            auth = _auth(document)
        except LookupError as refusal:
            mistakes.append((file, *refusal.args))
            translated.pop("auth", None)
        else:
            translated.update(auth)
    return translated, mistakes


def schema_name(name: str) -> str:
    """What the schema calls the setting ``name``."""
    return _RENAMED.get(name, name)


def as_said(path: str, document: Mapping[str, Any]) -> str:
    """``path`` under the name that ``document`` used: who said ``id`` need not know of ``connector_id``."""
    for old, new in _RENAMED.items():
        if path == new and old in document and new not in document:
            return old
    return path


def _auth(document: Mapping[str, Any]) -> dict[str, Any]:
    """``{"auth": …}``, or nothing where none is asked for; LookupError(key, reason)."""
    named, value = document.get("auth_type"), document.get("auth_value")
    if document.get("auth") is not None:
        if named is None and value is None:
            return {}
        raise LookupError("auth", "this says the same as auth_type and auth_value; keep one of the two")
    kind = _kind(named, value)
    if kind == "none":
        if value not in (None, ""):
            raise LookupError("auth_value", "auth_type is none, which takes no value; leave one of the two out")
        return {}
    if value is None:
        raise LookupError("auth_value", f"{kind} needs a value; an empty text sends no credentials")
    return {"auth": {"type": kind, **_credentials(kind, value)}}


def _kind(named: Any, value: Any) -> str:
    if named is None:
        if value not in (None, ""):
            raise LookupError("auth_type", "a value needs a type: api_key, bearer, basic or hmac")
        return "none"
    kind = _TYPES.get(re.sub(r"[\s_-]+", "", named).lower()) if isinstance(named, str) else None
    if kind is None:
        raise LookupError("auth_type", f"choose one of {', '.join(sorted(set(_TYPES.values())))}")
    return kind


def _credentials(kind: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        if "type" in value:
            raise LookupError("auth_value", "it holds a type of its own; write it as auth instead")
        where = {"header": API_KEY_HEADER} if kind == "api_key" and not value.keys() & {"header", "param"} else {}
        return {**where, **value}
    if not isinstance(value, str):
        raise LookupError("auth_value", "expected a text, or an object with the keys that auth has")
    if kind == "api_key":
        return {"header": API_KEY_HEADER, "value": value}
    if kind == "bearer":
        return {"token": re.sub(r"^\s*bearer\s+", "", value, flags=re.IGNORECASE)}
    if kind == "oauth2":
        raise LookupError("auth_value", "oauth2 needs an object: token_url, client_id, client_secret, scopes")
    first, second = _PAIRS[kind]
    before, colon, after = value.partition(":")
    if value and not colon:
        raise LookupError("auth_value", f"{kind} needs {first}:{second}, or an object with {first} and {second}")
    return {first: before, second: after}
