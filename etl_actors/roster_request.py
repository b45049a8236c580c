"""What a caller asks a connector to be: the original's names translated, masks replaced, targets looked at.

Whoever points a connector to another host has to know its secrets: the mask stands for a kept one only while it goes
where it went.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .errors import ConfigError
from .factory import ActorFactory
from .roster_entry import Entry
from .settings import ConnectorSettings
from .settings.destination import destination
from .settings.disclosure import plain_document, with_kept_secrets
from .settings.original_names import as_said, draft_names
from .settings.request_body import Draft, draft_connector, sound, tell
from .transforms.mapping import Mapping as ItemMapping


def target_mistakes(settings: ConnectorSettings, refuse_target: Callable[[str], str | None]) -> list[tuple[str, str]]:
    """Which urls of a connector a REST caller may not have asked, and why."""
    snapshot = None if settings.sequence is None else settings.sequence.snapshot
    targets = {
        "url": settings.url,
        "auth.token_url": getattr(settings.auth, "token_url", None),
        "sequence.snapshot.url": None if snapshot is None else snapshot.url,
    }
    found = ((path, refuse_target(url)) for path, url in targets.items() if url is not None)
    return [(path, reason) for path, reason in found if reason is not None]


def requested(document: Mapping[str, Any], entry: Entry | None) -> Draft:
    """What a caller sent, complete: the id of the path, and the kept secrets where it sent masks."""
    said, mistakes = draft_names(document)
    kept = None
    if entry is not None:
        connector_id = entry.settings.connector_id
        if said.setdefault("connector_id", connector_id) != connector_id:
            mistakes.append(("", "connector_id", f"this is connector {connector_id!r}; an id cannot be changed"))
            said["connector_id"] = connector_id
        kept = plain_document(entry.settings)
    stated, unknown, used = with_kept_secrets(said, kept)
    mistakes += [("", path, "nothing is kept that *** could stand for: give the secret itself") for path in unknown]
    if kept is not None and used and destination(stated) != destination(kept):
        mistakes += [("", path, "the connector is to talk to another host: give the secret again") for path in used]
    return draft_connector(stated, mistakes)


def checked(
    drafted: Draft, factory: ActorFactory, refuse_target: Callable[[str], str | None]
) -> tuple[ConnectorSettings, ItemMapping]:
    """A sound connector and its mapping; :class:`ConfigError` with what the schema and only this service know."""
    settings, mistakes = drafted
    mapping = None
    if settings is not None:
        limit = factory.missing_limit(settings)
        tell(mistakes, [("limit", limit)] if limit is not None else [])
        tell(mistakes, target_mistakes(settings, refuse_target))
        try:
            mapping = factory.mapping(settings)
        except ConfigError as error:
            tell(mistakes, [(path, why) for _, path, why in error.mistakes])
    settings = sound(settings, mistakes)
    assert mapping is not None  # or there would have been mistakes
    return settings, mapping


def with_places_as_said(error: ConfigError, document: Mapping[str, Any]) -> ConfigError:
    """``error`` with the keys that ``document`` used."""
    return ConfigError(*((file, as_said(path, document), reason) for file, path, reason in error.mistakes))
