"""One connector of the roster, and its way from and to what is kept of it.

Secrets are sealed for the connector and the hosts it talks to, so that neither a ciphertext moved to another row nor a
url changed in the database sends a secret elsewhere. A kept connector that cannot be used (a secret that does not open,
a mapping this version does not understand) stays on the roster with its trouble, so that somebody can mend it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from .actors.connector import ConnectorActor
from .actors.connector_status import State
from .actors.socket_connector import SocketConnectorActor
from .settings import Configuration, ConnectorSettings
from .settings.decoding import Mistake, convert
from .settings.destination import destination
from .settings.disclosure import opened_document, plain_document, sealed_document, secret_texts, shown_document
from .vault import Keyring, NotSealed, SealBroken


class Entry(Struct, frozen=True, kw_only=True):
    """One connector.

    ``file`` is where it is written, None when it was made over REST. ``etag`` changes with every change of it.
    ``trouble`` is why it does not run although it is enabled.
    """

    settings: ConnectorSettings
    etag: str
    file: str | None = None
    version: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None
    trouble: str | None = None
    actor: ConnectorActor | SocketConnectorActor | None = None

    @property
    def runs(self) -> bool:
        """Whether an actor should poll for it, or follow it."""
        return self.settings.enabled and self.settings.kind in {"rest", "websocket"} and self.trouble is None


def shown_state(entry: Entry, of_actor: State | None, *, unmapped: bool) -> State:
    """The one word for how a connector is: what its actor says, unless there is trouble that it cannot know of.

    ``unmapped``: nothing of its newest answer could be mapped.
    """
    if entry.trouble is not None and entry.settings.enabled:
        return "failing"
    if of_actor is None:
        return "stopped"
    return "failing" if unmapped and of_actor in {"running", "throttled"} else of_actor


class Definition(Protocol):
    """A connector as it is kept, its secrets sealed."""

    @property
    def connector_id(self) -> str: ...
    @property
    def document(self) -> dict[str, Any]: ...
    @property
    def version(self) -> int: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...


def written_entries(configuration: Configuration) -> list[Entry]:
    """The connectors of the config files."""
    return [
        Entry(settings=one, etag=_digest(one), file=configuration.origin.get(one.connector_id, ("", ""))[0])
        for one in configuration.connectors
    ]


def kept_entry(settings: ConnectorSettings, kept: Definition, trouble: str | None = None) -> Entry:
    """A connector that was made over REST."""
    return Entry(
        settings=settings,
        etag=str(kept.version),
        version=kept.version,
        created_at=kept.created_at,
        updated_at=kept.updated_at,
        trouble=trouble,
    )


def opened_entry(kept: Definition, keyring: Keyring) -> Entry:
    """A kept connector with its secrets opened; in trouble when that, or reading it, does not work."""
    owner, troubles = _owner(kept.document), list[str]()

    def unseal(path: str, text: str) -> str:
        try:
            return keyring.open(text, owner=owner, field=path).reveal()
        except (SealBroken, NotSealed) as error:
            troubles.append(str(error))
            return ""

    mistakes: list[Mistake] = []
    settings = convert(opened_document(kept.document, unseal), ConnectorSettings, "", mistakes)
    if settings is None:
        troubles.extend(f"{path}: {reason}" for _, path, reason in mistakes)
        settings = ConnectorSettings(connector_id=kept.connector_id, url=str(kept.document.get("url", "")))
    return kept_entry(settings, kept, troubles[0] if troubles else None)


def sealed(settings: ConnectorSettings, keyring: Keyring) -> dict[str, Any]:
    """What is kept of a connector."""
    document = plain_document(settings)
    owner = _owner(document)
    return sealed_document(document, lambda path, text: keyring.seal(text, owner=owner, field=path))


def rewrapped(document: dict[str, Any], keyring: Keyring) -> dict[str, Any]:
    """A kept document with every secret under the keyring's newest key."""
    owner = _owner(document)
    return sealed_document(document, lambda path, text: keyring.rewrap(text, owner=owner, field=path))


def sealed_texts(kept: Iterable[Definition]) -> list[str]:
    """Everything sealed in these connectors."""
    return [text for one in kept for text in secret_texts(one.document)]


def _owner(document: dict[str, Any]) -> str:
    return f"{document.get('connector_id')} at {destination(document)}"


def _digest(settings: ConnectorSettings) -> str:
    return hashlib.sha256(msgspec.json.encode(shown_document(settings))).hexdigest()[:16]
