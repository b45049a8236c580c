"""The OpenAPI 3.1 document of an application, from what was said of its routes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from quart import Quart
from werkzeug.routing import Rule

from ..parameters import STORABLE
from ..problems import ProblemDocument
from .documented import Answer, Body, Description, description_of, is_hidden
from .failures import failure_reference, failure_responses
from .shapes import Shapes, markdown

JSON = "application/json"
IMPLIED_METHODS = frozenset({"HEAD", "OPTIONS"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PARAMETER_IN_RULE = re.compile(r"<(?:(?P<converter>\w+)(?:\([^)]*\))?:)?(?P<name>\w+)>")

ABOUT = """\
Polls REST APIs, maps their answers to items, loads them into PostgreSQL and serves them here and live.

* Errors are problem documents (RFC 9457, `application/problem+json`); bad input names each place in `errors`.
* Times are ISO 8601 in UTC. Numbers keep every digit they came with; read them as decimals, not as floats.
* Lists come in pages: follow `next` until it is null. It names a place, so rows that are added meanwhile move nothing.
* Live events come over the WebSocket `/ws`, which OpenAPI cannot describe: connect, and every event is sent;
  `{"op": "ping"}` is answered with a pong.
* A service that listens beyond loopback asks for a key with the scope (`read`, `write`, `admin`) of each operation.
"""

TAGS = {
    "health": "Is it alive, is it ready, how is everything.",
    "connectors": "The sources of data: what they are, how they are, and their control.",
    "data": "What was received and what it became: responses and items.",
    "live": "The live feed.",
    "files": "Files that were uploaded or made here, and their rows.",
    "processing": "Tables that are cleaned and typed on the way through.",
    "rejected": "Payloads that could not be mapped.",
    "keys": "Keys and sessions.",
}

SECURITY_SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer KEY`"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "`X-API-Key: KEY`"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "etl_session",
        "description": "The cookie that the dashboard gets for a key.",
    },
}


class PathParameter(Struct, frozen=True):
    """A parameter that routes have in their path."""

    description: str
    example: Any
    limits: dict[str, Any] = {}


PATH_PARAMETERS = {
    "connector_id": PathParameter("The id of a connector.", "binance_24hr", {"maxLength": 255}),
    "symbol": PathParameter("The symbol of a coin, whatever the case.", "BTC", {"pattern": STORABLE}),
    "file_id": PathParameter("The id of a file.", 1),
    "rejected_id": PathParameter("The id of a rejected payload.", 1),
}


class Route(Struct, frozen=True):
    """One method of one path, its view, and what was said of it."""

    rule: Rule
    method: str
    view: Callable[..., Any]
    description: Description | None

    @property
    def path(self) -> str:
        """The path as OpenAPI writes it."""
        return PARAMETER_IN_RULE.sub(r"{\g<name>}", self.rule.rule)


def routes_of(app: Quart) -> list[Route]:
    """Every route that is not hidden. Of several paths of one view the topmost in the code is taken."""
    found: dict[tuple[str, str], Route] = {}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if rule.websocket or is_hidden(view):
            continue
        for method in sorted((rule.methods or set()) - IMPLIED_METHODS):
            # Decorators are applied from below, so the topmost comes last.
            found[rule.endpoint, method] = Route(rule, method, view, description_of(view))
    return sorted(found.values(), key=lambda route: route.rule.endpoint)


def undocumented(app: Quart) -> list[str]:
    """The routes of which nothing was said, as ``GET /path (endpoint)``; a test holds this empty."""
    return [
        f"{route.method} {route.path} ({route.rule.endpoint})" for route in routes_of(app) if route.description is None
    ]


def document(app: Quart, *, version: str, keys_required: bool = False) -> dict[str, Any]:
    """The document, ready to be encoded. Routes of which nothing was said are left out."""
    routes = [(route, route.description) for route in routes_of(app) if route.description is not None]
    shapes = Shapes([ProblemDocument, *(shape for _, said in routes for shape in _types(said))])
    paths: dict[str, dict[str, Any]] = {}
    for route, said in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, said, shapes, keys_required)
    used = {route.rule.endpoint.partition(".")[0] for route, _ in routes}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "etl-actors",
            "version": version,
            "summary": "Live APIs into PostgreSQL and a live feed.",
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "This service."}],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items() if name in used],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": shapes.components,
            "responses": failure_responses({status for one in routes for status in _failures(*one)}),
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _operation(route: Route, said: Description, shapes: Shapes, keys_required: bool) -> dict[str, Any]:
    words = [markdown(route.view.__doc__ or "")]
    if said.scope is not None:
        words.append(f"Needs the scope `{said.scope}` where keys are asked for.")
    operation: dict[str, Any] = {
        "operationId": route.rule.endpoint.replace(".", "_"),
        "tags": [route.rule.endpoint.partition(".")[0]],
        "summary": said.summary,
        "description": "\n\n".join(filter(None, words)),
        "parameters": [*_path_parameters(route.rule), *_query_parameters(said), *_header_parameters(said)],
        "responses": {
            **{str(status): _answer(answer, shapes) for status, answer in said.answers.items()},
            **{str(status): failure_reference(status) for status in _failures(route, said)},
        },
        "security": _security(said, keys_required),
    }
    if said.body is not None:
        operation["requestBody"] = _body(said.body, shapes)
    return operation


def _failures(route: Route, said: Description) -> list[int]:
    """Those that were named and those that follow from the rest."""
    statuses = set(said.problems)
    if route.rule.arguments:
        statuses.add(404)
    if said.parameters:
        statuses.add(422)
    if said.body is not None:
        statuses |= {400, 413}
    if said.scope is not None:
        statuses |= {401, 403}
    if route.method not in SAFE_METHODS:
        statuses.add(403)
    return sorted(statuses - said.answers.keys())


def _security(said: Description, keys_required: bool) -> list[dict[str, list[str]]]:
    if said.scope is None:
        return []
    # For schemes other than oauth2 the list names the roles that are needed.
    needed: list[dict[str, list[str]]] = [{name: [said.scope]} for name in SECURITY_SCHEMES]
    return needed if keys_required else [{}, *needed]


def _path_parameters(rule: Rule) -> Iterator[dict[str, Any]]:
    for found in PARAMETER_IN_RULE.finditer(rule.rule):
        name = found["name"]
        known = PATH_PARAMETERS.get(name)
        whole = found["converter"] == "int"
        schema: dict[str, Any] = {"type": "integer", "minimum": 0} if whole else {"type": "string", "minLength": 1}
        parameter = {"name": name, "in": "path", "required": True, "schema": schema}
        if known is not None:
            parameter |= {"description": known.description, "example": known.example}
            schema |= known.limits
        yield parameter


def _query_parameters(said: Description) -> Iterator[dict[str, Any]]:
    for one in said.parameters:
        yield {"name": one.name, "in": "query", "description": one.description, "schema": one.schema()}


def _header_parameters(said: Description) -> Iterator[dict[str, Any]]:
    for name, words in said.headers.items():
        yield {"name": name, "in": "header", "description": words, "schema": {"type": "string"}}


def _answer(answer: Answer, shapes: Shapes) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description}
    content = {} if answer.shape is None else {JSON: _media(shapes.schema_of(answer.shape), answer.example)}
    content |= {kind: _media(shapes.schema_of(shape)) for kind, shape in answer.media.items()}
    if content:
        described["content"] = content
    if answer.headers:
        described["headers"] = {
            name: {"description": words, "schema": {"type": "string"}} for name, words in answer.headers.items()
        }
    return described


def _media(schema: Mapping[str, Any], example: Any = None) -> dict[str, Any]:
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


def _body(body: Body, shapes: Shapes) -> dict[str, Any]:
    content = {kind: _media(shapes.schema_of(shape)) for kind, shape in body.media.items()}
    if body.examples and JSON in content:
        content[JSON]["examples"] = {name: {"value": value} for name, value in body.examples.items()}
    described: dict[str, Any] = {"content": content, "required": body.required}
    return described | ({"description": body.description} if body.description else {})


def _types(said: Description) -> Iterator[Any]:
    """The types, not schemas, that a description speaks of."""
    shapes = [shape for answer in said.answers.values() for shape in (answer.shape, *answer.media.values())]
    shapes += said.body.media.values() if said.body is not None else ()
    return (shape for shape in shapes if shape is not None and not isinstance(shape, dict))
