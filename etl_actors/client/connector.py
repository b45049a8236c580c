"""Connectors from Python: the same schema as in files and over REST, for a service that runs.

    connector = RestConnector(id="my_api", name="My API", url="https://api.example.com/data", auth_type="api_key",
                              auth_value="…")
    stored = await connector.save()

``ETL_URL`` says where the service is, ``ETL_API_KEY`` with which key it is asked.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self
from urllib.parse import quote

import httpx
import msgspec

from ..errors import ConfigError
from ..settings.connector import ConnectorSettings
from ..settings.decoding import Mistake, convert
from ..settings.mistakes import connector_mistakes
from ..settings.original_names import translated_names
from .address import Service, find_service
from .answers import asking, foreign, json_of, refusal

TIMEOUT_SECONDS = 30
ROUTE = "/api/connectors"


class Connector:
    """A connector's definition, checked when it is made; nothing is sent before one of the methods is awaited.

    Keyword arguments are the schema's (``connector_id``, ``url``, ``interval_seconds``, ``auth``, ``items``, …) or the
    original's ``id``, ``name``, ``auth_type`` and ``auth_value``. Raises :class:`~etl_actors.errors.ConfigError` with
    every mistake and its key. The methods raise :class:`~etl_actors.errors.RequestFailed` when the service says no or
    does not answer, :class:`~etl_actors.errors.UsageError` when ``ETL_URL`` or ``ETL_API_KEY`` cannot be used.
    """

    kind: ClassVar[str]

    def __init__(self, **definition: Any) -> None:
        self._definition = _checked(type(self).__name__, self.kind, definition)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(connector_id={self.connector_id!r})"

    @property
    def connector_id(self) -> str:
        """Its id in the service."""
        return str(self._definition["connector_id"])

    async def save(self) -> dict[str, Any]:
        """Make the connector, or replace the one with this id; the stored one, with its secrets as ``***``."""
        body = msgspec.json.encode(self._definition)
        async with _asked() as client:
            response = await client.post(ROUTE, content=body)
            if response.status_code == 409:  # the id is taken
                response = await client.put(self._path(), content=body)
            return _object(response)

    async def delete(self) -> None:
        """Take the connector out of the service; what it stored stays until retention."""
        async with _asked() as client:
            response = await client.delete(self._path())
            if not response.is_success:
                raise refusal(response)

    async def status(self) -> dict[str, Any]:
        """How it is: state, last success, last error, next poll and more."""
        async with _asked() as client:
            return _object(await client.get(f"{self._path()}/status"))

    @classmethod
    async def load(cls, connector_id: str) -> Self:
        """The stored connector. Its secrets are ``***``; saved again like this, the stored ones are kept."""
        async with _asked() as client:
            stored = _object(await client.get(f"{ROUTE}/{quote(connector_id, safe='')}"))
        return cls(**{key: stored[key] for key in ConnectorSettings.__struct_fields__ if key in stored})

    def _path(self) -> str:
        return f"{ROUTE}/{quote(self.connector_id, safe='')}"


class RestConnector(Connector):
    """A connector that polls a REST API."""

    kind = "rest"


class WebSocketConnector(Connector):
    """A connector that listens to a WebSocket stream."""

    kind = "websocket"


def _checked(name: str, kind: str, definition: dict[str, Any]) -> dict[str, Any]:
    """The definition under the schema's names, as plain JSON values; :class:`ConfigError` with every mistake."""
    document = {"kind": kind, **translated_names(definition, file=name)}
    mistakes: list[Mistake] = []
    if document["kind"] != kind:
        mistakes.append((name, "kind", f"a {name} is of kind {kind!r}; leave it out"))
    try:
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
        checked = msgspec.json.decode(msgspec.json.encode(document))
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(*mistakes, (name, "(arguments)", f"these are no JSON values: {error}")) from None
    settings = convert(checked, ConnectorSettings, name, mistakes)
    if settings is not None:
        mistakes.extend((name, key, reason) for key, reason in connector_mistakes(settings))
    if mistakes:
        raise ConfigError(*((file, "(arguments)" if "(" in key else key, why) for file, key, why in mistakes))
    return plain


@asynccontextmanager
async def _asked() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service that the environment names."""
    service: Service = find_service(os.environ)
    with asking(service):
        async with httpx.AsyncClient(**service.httpx_options(), timeout=TIMEOUT_SECONDS) as client:
            client.headers["Content-Type"] = "application/json"
            yield client


def _object(response: httpx.Response) -> dict[str, Any]:
    answer = json_of(response)
    if not isinstance(answer, dict):
        raise foreign(response)
    return answer
