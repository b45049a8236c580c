"""Which values of a connector are secrets, wherever they stand: what is masked, sealed at rest, and kept unsaid.

A *document* is a connector as plain JSON values. Secret in it are the fields of ``auth`` that the schema calls so, and
every header and parameter whose name says what it holds (``X-Auth-Token``, ``api_key``), and in the same way every text
in the messages that a stream is sent (``handshake``, ``heartbeat``). One walk over these places
serves everybody: who shows a connector masks them, who stores one seals them, and who gets one back with the mask in
such a place puts in what is kept.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_type_hints
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import msgspec

from .connector import Auth, ConnectorSettings
from .secret import MASK, Secret

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_ENDINGS = (
    *("key", "keys", "token", "secret", "password", "passwd", "passphrase", "pwd", "auth", "authorization"),
    *("cookie", "signature", "credential", "credentials", "jwt", "bearer", "session"),
)
_SECRET_WORDS = frozenset({"sig", "pass", "sid"})

_AUTH_SECRETS: dict[str, tuple[str, ...]] = {
    str(kind.__struct_config__.tag): tuple(name for name, hint in get_type_hints(kind).items() if hint is Secret)
    for kind in get_args(Auth)
}


def sounds_secret(name: str) -> bool:
    """Whether a header or parameter of this name holds what must not be seen."""
    words = [word.lower() for word in _WORD.findall(name)]
    return any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDINGS) for word in words)


def plain_document(connector: ConnectorSettings) -> dict[str, Any]:
    """The whole connector with its secrets in the open: for sealing, never for showing."""
    document: dict[str, Any] = msgspec.to_builtins(connector, enc_hook=_reveal)
    return document


def shown_document(connector: ConnectorSettings) -> dict[str, Any]:
    """The connector as anybody may see it: every secret that is given is ``***``."""
    document = _mapped(plain_document(connector), lambda path, text: MASK if text else "")
    auth = document["auth"]
    if "token_url" in auth:
        auth["token_url"] = shown_url(auth["token_url"])
    return document | {"url": shown_url(connector.url)}


def shown_url(url: str) -> str:
    """``url`` without the user and without the values of parameters that sound secret."""
    try:
        parts = urlsplit(url)
        query = "&".join(
            f"{quote(name)}={MASK}" if sounds_secret(name) else f"{quote(name)}={quote(value)}"
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        )
        hides = "@" in parts.netloc or any(sounds_secret(name) for name, _ in parse_qsl(parts.query))
    except ValueError:
        return MASK
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query)) if hides else url


def open_params(connector: ConnectorSettings) -> dict[str, str]:
    """The parameters of a request as anybody may see them: what a mapping can ask for is stored and shown."""
    return {name: value for name, value in connector.request_params().items() if not sounds_secret(name)}


def sealed_document(document: dict[str, Any], seal: Callable[[str, str], str]) -> dict[str, Any]:
    """``document`` for the store: ``seal(path, secret)`` gives what is kept of each secret."""
    return _mapped(document, lambda path, text: seal(path, text) if text else "")


def opened_document(document: dict[str, Any], unseal: Callable[[str, str], str]) -> dict[str, Any]:
    """The reverse; ``unseal(path, stored)``."""
    return _mapped(document, lambda path, text: unseal(path, text) if text else "")


def secret_texts(document: dict[str, Any]) -> list[str]:
    """What stands in the places of secrets: the secrets, or what is kept of them."""
    return [str(holder[key]) for _, holder, key in _places(document) if holder[key]]


def with_kept_secrets(
    document: dict[str, Any], kept: dict[str, Any] | None
) -> tuple[dict[str, Any], list[str], list[str]]:
    """``document`` with the kept secret in the place of each mask; where nothing is kept, and where something was."""
    known = {path: holder[key] for path, holder, key in _places(kept or {})}
    missing: list[str] = []
    used: list[str] = []
    complete = _copied(document)
    for path, holder, key in _places(complete):
        if holder[key] == MASK:
            (used if known.get(path) else missing).append(path)
            holder[key] = known.get(path) or ""
    return complete, missing, used


def _mapped(document: dict[str, Any], change: Callable[[str, str], str]) -> dict[str, Any]:
    copied = _copied(document)
    for path, holder, key in _places(copied):
        holder[key] = change(path, str(holder[key]))
    return copied


def _copied(document: dict[str, Any]) -> dict[str, Any]:
    """With tables of its own where secrets can be."""
    tables = {name: document[name] for name in ("auth", "headers", "params") if isinstance(document.get(name), dict)}
    messages = {name: copy.deepcopy(document[name]) for name in ("handshake", "heartbeat") if document.get(name)}
    return document | {name: dict(table) for name, table in tables.items()} | messages


def _places(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """``(path, the object that holds it, its key)`` of every secret."""
    auth = document.get("auth")
    if isinstance(auth, dict):
        for name in _AUTH_SECRETS.get(str(auth.get("type")), ()):
            if name in auth:
                yield f"auth.{name}", auth, name
    for table in ("headers", "params"):
        values = document.get(table)
        if isinstance(values, dict):
            for name in list(values):
                if sounds_secret(name):
                    yield f"{table}.{name}", values, name
    steps = document.get("handshake")
    for index, step in enumerate(steps if isinstance(steps, list | tuple) else ()):
        if isinstance(step, dict):
            yield from _within(step.get("send"), f"handshake[{index}].send")
    heartbeat = document.get("heartbeat")
    if isinstance(heartbeat, dict):
        yield from _within(heartbeat.get("send"), "heartbeat.send")


def _within(message: Any, path: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The secrets of a message, however deep."""
    if isinstance(message, dict):
        for name, value in list(message.items()):
            if isinstance(value, str) and sounds_secret(name):
                yield f"{path}.{name}", message, name
            else:
                yield from _within(value, f"{path}.{name}")
    elif isinstance(message, list):
        for index, value in enumerate(message):
            yield from _within(value, f"{path}[{index}]")


def _reveal(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, str):  # of another class: what came from the environment
        return str(value)
    raise NotImplementedError(f"no encoder for {type(value)}")
