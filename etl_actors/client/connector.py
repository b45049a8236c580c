"""Connectors from Python: the same schema as in files and over REST, for a service that runs.

    connector = RestConnector(id="my_api", name="My API", url="https://api.example.com/data", auth_type="api_key",
                              auth_value="…")
    stored = await connector.save()
    connector.interval_seconds = 30
    await connector.save()

``ETL_URL`` says where the service is, ``ETL_API_KEY`` with which key it is asked.
"""

from __future__ import annotations

import copy
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self
from urllib.parse import quote

import httpx
import msgspec

from ..errors import RequestFailed
from ..settings.connector import ConnectorSettings
from ..settings.original_names import schema_name
from .address import Service, find_service
from .answers import asking, foreign, json_of, refusal
from .definition import changed_definition, checked_definition

TIMEOUT_SECONDS = 30
ROUTE = "/api/connectors"

_DEFAULTS: dict[str, Any] = {
    field.name: None
    if field.required
    else msgspec.to_builtins(field.default if field.default is not msgspec.NODEFAULT else field.default_factory())
    for field in msgspec.structs.fields(ConnectorSettings)
}


class Connector:
    """A connector's definition, checked when it is made; nothing is sent before one of the methods is awaited.

    Keyword arguments are the schema's (``connector_id``, ``url``, ``interval_seconds``, ``auth``, ``items``, …) or the
    original's ``id``, ``name``, ``auth_type`` and ``auth_value``. Raises :class:`~etl_actors.errors.ConfigError` with
    every mistake and its key. The methods raise :class:`~etl_actors.errors.RequestFailed` when the service says no or
    does not answer, :class:`~etl_actors.errors.UsageError` when ``ETL_URL`` or ``ETL_API_KEY`` cannot be used.
    """

    kind: ClassVar[str]

    def __init__(self, **definition: Any) -> None:
        self._definition = checked_definition(type(self).__name__, self.kind, definition)
        self._etag: str | None = None  # that of the stored one that this was made from

    def __repr__(self) -> str:
        return f"{type(self).__name__}(connector_id={self.connector_id!r})"

    def __getattr__(self, name: str) -> Any:
        """A setting, its default where it was not given; of tables, a copy."""
        key = schema_name(name)
        if key not in _DEFAULTS:
            raise AttributeError(f"{type(self).__name__}: {name}: no connector has such a setting")
        return copy.deepcopy(self._definition.get(key, _DEFAULTS[key]))

    def __setattr__(self, name: str, value: Any) -> None:
        """``connector.interval_seconds = 9``; saved with the next :meth:`save`."""
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            self.change(**{name: value})

    @property
    def connector_id(self) -> str:
        """Its id in the service."""
        return str(self._definition["connector_id"])

    def change(self, **settings: Any) -> None:
        """Other settings, all of them or, with :class:`~etl_actors.errors.ConfigError`, none; :meth:`save` sends them.

        The names are those of the class. A new ``auth`` replaces the old one; an id cannot be changed.
        """
        self._definition = changed_definition(type(self).__name__, self.kind, self._definition, settings)

    async def save(self) -> dict[str, Any]:
        """Make the connector, or replace the one with this id; the stored one, with its secrets as ``***``.

        One that was loaded or saved before replaces only what it knows of: when somebody else has changed it since,
        :class:`~etl_actors.errors.RequestFailed` with ``status`` 412, and nothing is changed.
        """
        body = msgspec.json.encode(self._definition)
        async with _asked() as client:
            if self._etag is not None:
                response = await client.put(self._path(), content=body, headers={"If-Match": self._etag})
                if response.status_code == 412:
                    raise _changed_meanwhile(self)
            else:
                response = await client.post(ROUTE, content=body)
                if response.status_code == 409:  # the id is taken
                    response = await client.put(self._path(), content=body)
            stored = _object(response)
            self._etag = response.headers.get("ETag")
            return stored

    async def delete(self) -> None:
        """Take the connector out of the service; what it stored stays until retention."""
        async with _asked() as client:
            response = await client.delete(self._path())
            if not response.is_success:
                raise refusal(response)
            self._etag = None

    async def status(self) -> dict[str, Any]:
        """How it is: state, last success, last error, next poll and more."""
        async with _asked() as client:
            return _object(await client.get(f"{self._path()}/status"))

    @classmethod
    async def load(cls, connector_id: str) -> Self:
        """The stored connector. Its secrets are ``***``; saved again like this, the stored ones are kept."""
        async with _asked() as client:
            response = await client.get(f"{ROUTE}/{quote(connector_id, safe='')}")
            stored = _object(response)
        loaded = cls(**{key: stored[key] for key in ConnectorSettings.__struct_fields__ if key in stored})
        loaded._etag = response.headers.get("ETag")
        return loaded

    def _path(self) -> str:
        return f"{ROUTE}/{quote(self.connector_id, safe='')}"


class RestConnector(Connector):
    """A connector that polls a REST API."""

    kind = "rest"


class WebSocketConnector(Connector):
    """A connector that listens to a WebSocket stream."""

    kind = "websocket"


def _changed_meanwhile(connector: Connector) -> RequestFailed:
    name = f"{type(connector).__name__}.load({connector.connector_id!r})"
    return RequestFailed(
        f"connector {connector.connector_id!r} was changed by somebody else since it was loaded or saved here, and"
        f" nothing was replaced: get it again with {name} and repeat the change",
        status=412,
    )


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
