"""The OpenAPI 3.1 document of an application, from what was said of its routes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quart import Quart

from ..problems import ProblemDocument
from .documented import Answer, Body, Description
from .failures import failure_reference, failure_responses
from .preface import ABOUT, SECURITY_SCHEMES, TAGS
from .routes import Route, path_parameters, routes_of
from .shapes import Shapes, markdown

JSON = "application/json"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


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
        "parameters": [*path_parameters(route.rule), *_query_parameters(said), *_header_parameters(said)],
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
        statuses |= {400, 413, 415}
    if said.scope is not None:
        statuses |= {401, 403, 429}
    if route.method not in SAFE_METHODS:
        statuses.add(403)
    return sorted(statuses - said.answers.keys())


def _security(said: Description, keys_required: bool) -> list[dict[str, list[str]]]:
    if said.scope is None:
        return []
    # For schemes other than oauth2 the list names the roles that are needed.
    needed: list[dict[str, list[str]]] = [{name: [said.scope]} for name in SECURITY_SCHEMES]
    return needed if keys_required else [{}, *needed]


def _query_parameters(said: Description) -> Iterator[dict[str, Any]]:
    for one in said.parameters:
        yield {"name": one.name, "in": "query", "description": one.description, "schema": one.schema()}


def _header_parameters(said: Description) -> Iterator[dict[str, Any]]:
    for name, words in said.headers.items():
        yield {"name": name, "in": "header", "description": words, "schema": {"type": "string"}}


def _answer(answer: Answer, shapes: Shapes) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description}
    content = {} if answer.shape is None else {answer.kind: _media(shapes.schema_of(answer.shape), answer.example)}
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
