"""The routes of an application, as the document sees them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct
from quart import Quart
from werkzeug.routing import Rule

from ..parameters import STORABLE
from .documented import Description, description_of, is_hidden

IMPLIED_METHODS = frozenset({"HEAD", "OPTIONS"})
PARAMETER_IN_RULE = re.compile(r"<(?:(?P<converter>\w+)(?:\([^)]*\))?:)?(?P<name>\w+)>")


class PathParameter(Struct, frozen=True):
    """A parameter that routes have in their path."""

    description: str
    example: Any
    limits: dict[str, Any] = {}


PATH_PARAMETERS = {
    "connector_id": PathParameter("The id of a connector.", "binance_24hr", {"maxLength": 255}),
    "symbol": PathParameter("The symbol of a coin, whatever the case.", "BTC", {"pattern": STORABLE}),
    "file_id": PathParameter("The id of a file.", 1),
    "key_id": PathParameter("The id of a key.", 1),
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


def path_parameters(rule: Rule) -> Iterator[dict[str, Any]]:
    """What the path of a rule holds, as OpenAPI parameters."""
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
