"""What a caller asks a connector to be: the original's names translated, masks replaced, targets looked at.

Whoever points a connector to another host has to know its secrets: the mask stands for a kept one only while it goes
where it went.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .errors import ConfigError
from .roster_entry import Entry
from .settings import ConnectorSettings
from .settings.destination import destination
from .settings.disclosure import plain_document, with_kept_secrets
from .settings.original_names import translated_names
from .settings.request_body import read_connector


def target_mistakes(
    settings: ConnectorSettings, refuse_target: Callable[[str], str | None]
) -> list[tuple[str, str, str]]:
    """Which urls of a connector a REST caller may not have asked, and why."""
    snapshot = None if settings.sequence is None else settings.sequence.snapshot
    targets = {
        "url": settings.url,
        "auth.token_url": getattr(settings.auth, "token_url", None),
        "sequence.snapshot.url": None if snapshot is None else snapshot.url,
    }
    found = ((path, refuse_target(url)) for path, url in targets.items() if url is not None)
    return [("", path, reason) for path, reason in found if reason is not None]


def requested(document: Mapping[str, Any], entry: Entry | None) -> ConnectorSettings:
    """What a caller sent, complete: the id of the path, and the kept secrets where it sent masks."""
    said = translated_names(document)
    kept = None
    if entry is not None:
        connector_id = entry.settings.connector_id
        if said.setdefault("connector_id", connector_id) != connector_id:
            raise ConfigError(("", "connector_id", f"this is connector {connector_id!r}; an id cannot be changed"))
        kept = plain_document(entry.settings)
    stated, unknown, used = with_kept_secrets(said, kept)
    mistakes = [("", path, "nothing is kept that *** could stand for: give the secret itself") for path in unknown]
    if kept is not None and used and destination(stated) != destination(kept):
        mistakes += [("", path, "the connector is to talk to another host: give the secret again") for path in used]
    if mistakes:
        raise ConfigError(*mistakes)
    return read_connector(stated)
