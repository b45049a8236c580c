"""A connector's definition as Python writes it, checked before anything is sent: the names, the schema, the urls.

What only the service knows (its limits, which addresses it reaches) or understands (JMESPath) it tells when the
connector is saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..errors import ConfigError
from ..settings.connector import ConnectorSettings
from ..settings.decoding import Mistake
from ..settings.drafting import draft
from ..settings.mistakes import connector_mistakes, untold
from ..settings.original_names import as_said, draft_names


def checked_definition(name: str, kind: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """What was ``said`` under the schema's names, as plain JSON values.

    Raises :class:`ConfigError` with every mistake under the name that was used, as mistakes of ``name``.
    """
    names, mistakes = draft_names(said, file=name)
    document = {"kind": kind, **names}
    if document["kind"] != kind:
        mistakes.append((name, "kind", f"a {name} is of kind {kind!r}; leave it out"))
        document["kind"] = kind
    try:
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
        stated = msgspec.json.decode(msgspec.json.encode(document))
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(*mistakes, (name, "(arguments)", f"these are no JSON values: {error}")) from None
    mistakes.extend(_mistakes(stated, name, [path for _, path, _ in mistakes]))
    if mistakes:
        raise ConfigError(*((file, as_said(_place(path), said), why) for file, path, why in mistakes))
    return plain


def changed_definition(
    name: str, kind: str, definition: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """``definition`` with these settings; :class:`ConfigError` as above."""
    names, mistakes = draft_names(settings, file=name)
    connector_id = definition["connector_id"]
    if names.get("connector_id", connector_id) != connector_id:
        place = as_said("connector_id", settings)
        mistakes.append((name, place, f"this is connector {connector_id!r}; another id needs a {name} of its own"))
    if mistakes:
        raise ConfigError(*mistakes)
    if "auth_type" in settings and "auth" not in names:
        names["auth"] = {"type": "none"}
    return checked_definition(name, kind, {**definition, **names})


def _mistakes(stated: dict[str, Any], name: str, told: list[str]) -> list[Mistake]:
    found: list[Mistake] = []
    settings = draft(stated, ConnectorSettings, name, found, cut=told)
    if settings is not None:
        wrong = untold(connector_mistakes(settings), [*told, *(path for _, path, _ in found)])
        found.extend((name, key, reason) for key, reason in wrong)
    return found


def _place(path: str) -> str:
    return "(arguments)" if path.startswith("(") else path
